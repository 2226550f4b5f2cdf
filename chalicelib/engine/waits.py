"""Waits for events: what is registered of one, and how an event ends it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass

from chalicelib.core import ids, limits
from chalicelib.core.calls import Operation, WaitOptions
from chalicelib.core.durations import Lookback
from chalicelib.core.errors import InvalidExpression
from chalicelib.core.events import Event
from chalicelib.core.matching import Condition, condition_holds, plan_wait
from chalicelib.core.pauses import Pause, PauseKind, is_in_time, spent_events, wait_accepts_after_us
from chalicelib.core.runs import Run
from chalicelib.core.steps import Cause, CauseKind, StepOutcome, StepPlan, StepRecord

Shapes = Collection[tuple[str, ...]]


@dataclass(frozen=True)
class Registration:
    """What is written of a wait. `look_before`: where it begins to look back, if it does."""

    pauses: list[Pause]
    warnings: tuple[str, ...]
    lookback: Lookback | None
    look_before: str | None
    accept_after_us: int
    spent: tuple[str, ...]

    def described(self, plan: StepPlan, op: Operation) -> StepPlan:
        """The step's plan with everything that is known of its wait."""
        assert op.wait is not None
        fields: dict[str, object] = {
            "pauses": tuple(pause.key for pause in self.pauses),
            "warnings": (*plan.warnings, *self.warnings),
        }
        if op.wait.is_choice:
            fields["wait_any"] = op.wait.awaited
        else:
            (awaited,) = op.wait.awaited
            fields |= {"wait_event": awaited.event, "wait_if": awaited.if_exp}
        if self.look_before is not None:
            fields |= {"lookback": self.lookback, "accept_after_us": self.accept_after_us}
        if self.look_before is not None or len(self.spent) > limits.MAX_SPENT_LISTED:
            fields["spent"] = self.spent
        return plan.model_copy(update=fields)


def registration(
    run: Run, op: Operation, default: Lookback | None, now_ms: int, shapes_of: Callable[[str], Shapes]
) -> Registration:
    """What to write of the wait that is asked for. Raises InvalidExpression.

    `default` is how far the function's waits look back; `shapes_of` tells the shapes registered for an event name.
    """
    assert op.wait is not None
    lookback = op.wait.lookback if op.wait.lookback is not None else default
    after_us = wait_accepts_after_us(now_ms, run.head.seed.trigger_received_at_us, lookback)
    spent = spent_events(run.steps, after_us)
    pauses: list[Pause] = []
    warnings: list[str] = []
    for number in range(len(op.wait.awaited)):
        shapes = shapes_of(op.wait.awaited[number].event)
        rows, told = _rows(run, op, number, now_ms, after_us, spent, shapes)
        pauses += rows
        warnings += told
    # What was processed before the registration was accepted before this, whatever the clocks.
    look_before = ids.position(now_ms + limits.CLOCK_SKEW_MS) if lookback else None
    return Registration(pauses, tuple(warnings), lookback, look_before, after_us, spent)


def _rows(
    run: Run, op: Operation, number: int, now_ms: int, after_us: int, spent: tuple[str, ...], shapes: Shapes
) -> tuple[list[Pause], list[str]]:
    """The rows of one of the events that the step waits for, and warnings about its condition."""
    assert op.wait is not None
    awaited, is_choice, seed = op.wait.awaited[number], op.wait.is_choice, run.head.seed
    try:
        planned = plan_wait(awaited.event, awaited.if_exp, run.event.payload(), shapes)
    except InvalidExpression as error:
        method = "wait_for_any" if is_choice else "wait_for_event"
        told = f"the condition of {method} {op.name!r}{_which(op.wait, number)}: {error.message}"
        raise InvalidExpression(told, line=error.line, column=error.column) from None
    listed = len(spent) <= limits.MAX_SPENT_LISTED
    name = f"{op.id}#{number}" if is_choice else op.id
    pauses = [
        Pause(
            key=key,
            kind=PauseKind.WAIT,
            run_id=seed.run_id,
            fn_id=seed.fn_id,
            event_name=awaited.event,
            shape=each.shape.paths,
            step_id=op.id,
            if_exp=awaited.if_exp,
            condition=None if planned.condition is None else planned.condition.to_json(),
            trigger_event_id=seed.event_id,
            accept_after_us=after_us,
            accept_until_ms=now_ms + op.wait.timeout_ms,
            spent=spent if listed else (),
            spent_unlisted=not listed,
            choice=number if is_choice else None,
            has_namesake=any(earlier.event == awaited.event for earlier in op.wait.awaited[:number]),
        )
        for each, key in planned.placed(seed.run_id, name)
    ]
    which = _which(op.wait, number).removeprefix(", ")
    return pauses, [f"{which}: {text}" if which else text for text in planned.warnings]


def _which(wait: WaitOptions, number: int) -> str:
    """Names one of several events; nothing where there is one."""
    return f", event {number + 1} ({wait.awaited[number].event})" if wait.is_choice else ""


class Expected:
    """What an open wait is ended by. `names` are those of the events, `errors` counts conditions that could not be
    evaluated."""

    def __init__(self, run: Run, step: StepRecord) -> None:
        self.errors = 0
        self._plan = step.plan
        self._until_ms = step.wake_at_ms or 0
        self._trigger_id = run.head.seed.event_id
        self._conditions: list[tuple[int, str, Condition | None]] = []
        for number, awaited in enumerate(step.plan.awaited):
            try:
                planned = plan_wait(awaited.event, awaited.if_exp, run.event.payload())
            except InvalidExpression:
                continue  # The version that registered the wait could read it.
            if not planned.never:
                self._conditions.append((number, awaited.event, planned.condition))
        self.names = tuple(dict.fromkeys(name for _, name, _ in self._conditions))

    def is_in_time(self, event: Event) -> bool:
        """Whether it counts, whatever is in it."""
        return is_in_time(
            event,
            trigger_event_id=self._trigger_id,
            after_us=self._plan.accept_after_us or 0,
            until_ms=self._until_ms,
            spent=self._plan.spent,
        )

    def choice(self, event: Event) -> int | None:
        """Which of the awaited events it is, the first whose condition holds; None if it is none of them."""
        for number, name, condition in self._conditions:
            if name == event.name:
                result = condition_holds(condition, event.payload())
                self.errors += result.error is not None
                if result.error is None and result.value is True:
                    return number
        return None


def resumption(event: Event, choice: int | None, now_ms: int, *, looked_back: bool = False) -> StepOutcome:
    """How a wait ends by its event; `choice` is which of several it is."""
    payload = event.payload()
    output = payload if choice is None else {"index": choice, "event": payload}
    return StepOutcome(
        ended_at_ms=now_ms,
        output=output,
        cause=cause_of(event),
        size_bytes=len(json.dumps(output, ensure_ascii=False, separators=(",", ":"))),
        looked_back=looked_back,
    )


def cause_of(event: Event) -> Cause:
    """The event as what ended a step or a run."""
    return Cause(kind=CauseKind.EVENT, id=event.internal_id, name=event.name)
