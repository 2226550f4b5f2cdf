"""An event meets what waits for it: one read per shape that is registered for its name, one per match (law 5)."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.core.calls import ErrorInfo
from chalicelib.core.events import Event
from chalicelib.core.matching import Condition, Shape, condition_holds, lookup_key
from chalicelib.core.messages import TurnMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.pauses import Pause, PauseKind, counts_for
from chalicelib.core.records import Effect, EffectKind, Resumed
from chalicelib.core.runs import Ending, RunStatus
from chalicelib.core.steps import StepOutcome
from chalicelib.engine import cleanup, settle
from chalicelib.engine.services import Services, logger
from chalicelib.engine.waits import Expected, cause_of, resumption


def meet(s: Services, event: Event, *, is_first: bool) -> None:
    """Resume and cancel every run whose pause this event meets. `is_first`: it was not delivered before."""
    # A wait whose condition has several alternatives may be found under more than one key.
    touched: set[tuple[str, str | None]] = set()
    for pause in _matches(s, event, is_first):
        if (pause.run_id, pause.step_id) in touched:
            continue
        touched.add((pause.run_id, pause.step_id))
        if pause.kind is PauseKind.WAIT:
            _resume(s, pause, event)
        else:
            cancel(s, pause.run_id, event)


def _matches(s: Services, event: Event, is_first: bool) -> Iterator[Pause]:
    payload = event.payload()
    for paths in s.pauses.shapes(event.name):
        key = lookup_key(event.name, Shape.of(paths), payload)
        if key is None:
            continue
        for pause in s.pauses.candidates(key):
            if not counts_for(pause, event):
                continue
            condition = None if pause.condition is None else Condition.from_json(pause.condition)
            result = condition_holds(condition, payload)
            if result.error is not None:
                s.metrics.count(Metric.EXPRESSION_ERRORS, int(is_first))
                logger.info(
                    "condition could not be evaluated",
                    extra={"run_id": pause.run_id, "event_id": event.internal_id, "reason": result.error},
                )
            elif result.value is True:
                yield pause


def _outcome(s: Services, pause: Pause, event: Event, now_ms: int) -> StepOutcome | None:
    """How the wait ends by the event; None if that had resumed its run before. What the row does not tell is read from
    the run."""
    if not (pause.spent_unlisted or pause.has_namesake):
        return resumption(event, pause.choice, now_ms)
    run = s.runs.load(pause.run_id)
    step = None if run is None else run.steps.get(pause.step_id or "")
    if run is None or step is None:
        return None
    expected = Expected(run, step)
    choice = expected.choice(event) if expected.is_in_time(event) else None
    return None if choice is None else resumption(event, choice if step.plan.wait_any else None, now_ms)


def _resume(s: Services, pause: Pause, event: Event) -> None:
    assert pause.step_id is not None
    now = s.clock.now_ms()
    effect = Effect(
        event_id=event.internal_id,
        kind=EffectKind.RESUMED,
        run_id=pause.run_id,
        step_id=pause.step_id,
        at_ms=now,
    )
    outcome = _outcome(s, pause, event, now)
    if outcome is not None and s.runs.resume(effect, outcome) is Resumed.NOW:
        s.metrics.count(Metric.WAITS_MATCHED)
        logger.info(
            "resumed by event",
            extra={
                "run_id": pause.run_id,
                "function_id": pause.fn_id,
                "event_id": event.internal_id,
                "event_name": event.name,
            },
        )
    step = s.runs.get_step(pause.run_id, pause.step_id)
    if step is None or step.status.is_final:
        # Whoever ended the wait, this event or another, may have died before it sent the turn. So the turn comes
        # first: without the rows, its own redelivery would not find the wait any more.
        s.queues.send_work(TurnMessage(run_id=pause.run_id))
        rows = (pause.key,) if step is None else step.plan.pauses
        s.pauses.remove(rows)
        cleanup.remove_timer(s, step)


def cancel(s: Services, run_id: str, event: Event) -> None:
    """End the run because of this event, and settle it."""
    now = s.clock.now_ms()
    effect = Effect(event_id=event.internal_id, kind=EffectKind.CANCELLED, run_id=run_id, at_ms=now)
    ending = Ending(
        status=RunStatus.CANCELLED,
        ended_at_ms=now,
        error=ErrorInfo(name="FunctionCancelled", message=f"cancelled by the event {event.name}"),
        cause=cause_of(event),
    )
    head = s.runs.cancel_by(effect, ending)
    if head is None or head.ending is None:
        return
    if head.ending.cause is not None and head.ending.cause.id == event.internal_id:
        logger.info(
            "cancelled by event",
            extra={
                "run_id": run_id,
                "function_id": head.seed.fn_id,
                "event_id": event.internal_id,
                "event_name": event.name,
            },
        )
    settle.settle(s, run_id)
