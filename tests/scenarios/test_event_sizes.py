"""An event that a wait hands to its function counts towards the run's state, as a step's output does."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.core.steps import count
from chalicelib.sdk import Context, TriggerEvent, function
from chalicelib.testing import start_stepwell


@function(fn_id="waits", trigger=TriggerEvent(event="go"))
def waits(ctx: Context) -> None:
    ctx.step.wait_for_event("answer", event="answer", timeout=timedelta(hours=1))


def test_the_events_of_waits_count_towards_the_state() -> None:
    with start_stepwell([waits]) as kit:
        kit.send("go")
        kit.send("answer", {"text": "x" * 10_000})

        run = kit.platform.services.runs.load(kit.only_run().run_id)
        assert run is not None
        assert count(run.steps).state_bytes > 10_000
