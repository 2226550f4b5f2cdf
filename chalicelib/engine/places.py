"""The order in which a function is told of the ends of its steps. An app that lets branches race decides by it who has
won, and must decide the same in each later call: steps side by side get their places when it is told of them first, and
those that end later come behind, whatever their clocks say."""

from __future__ import annotations

from chalicelib.core.functions import FunctionConfig
from chalicelib.core.runs import Run
from chalicelib.core.steps import completion_order, next_place, without_place
from chalicelib.engine.services import Services


def stack(s: Services, run: Run, config: FunctionConfig | None) -> tuple[str, ...]:
    """The ids of the steps that have ended, in the order for this call; `run.steps` is brought up to date.

    A write unit for each new end of steps side by side. Functions of this deployment go by no order.
    """
    if config is not None and config.driver != "in_process":
        place = next_place(run.steps)
        for step in without_place(run.steps):
            stored = s.runs.put_place(run.head.run_id, step.id, place)
            run.steps[step.id] = step.model_copy(update={"place": stored})
            place = max(place, stored) + 1
    return completion_order(run.steps)
