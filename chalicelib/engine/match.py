"""What an event does to those whom it meets: waits end, runs are cancelled. Each of it once, whatever is repeated."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from chalicelib.core.calls import ErrorInfo
from chalicelib.core.errors import InfrastructureError
from chalicelib.core.events import Event
from chalicelib.core.messages import TurnMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.pauses import Pause
from chalicelib.core.records import Effect, EffectKind, Resumed
from chalicelib.core.runs import Ending, RunStatus
from chalicelib.core.steps import PauseKey, StepOutcome
from chalicelib.engine import settle
from chalicelib.engine.services import Services, logger
from chalicelib.engine.side_by_side import side_by_side, try_all
from chalicelib.engine.waits import Expected, cause_of, resumption


def resume_all(s: Services, pauses: Sequence[Pause], event: Event) -> None:
    """End these waits by the event and send their runs turns. When one cannot be ended, the others are all the same."""
    if not pauses:
        return
    now = s.clock.now_ms()
    # Text of up to 256 KB is made once, not for each.
    outcomes = {choice: resumption(event, choice, now) for choice in {pause.choice for pause in pauses}}
    try:
        side_by_side(lambda pause: _end_wait(s, pause, event, outcomes[pause.choice]), pauses, s.settings.match_threads)
    except Exception:
        _wake(s, pauses)
        raise
    _wake(s, pauses)


def _end_wait(s: Services, pause: Pause, event: Event, outcome: StepOutcome) -> None:
    assert pause.step_id is not None
    if pause.spent_unlisted or pause.has_namesake:
        exact = _exact_outcome(s, pause, event, outcome.ended_at_ms)
        if exact is None:
            return
        outcome = exact
    effect = Effect(
        event_id=event.internal_id,
        kind=EffectKind.RESUMED,
        run_id=pause.run_id,
        step_id=pause.step_id,
        at_ms=s.clock.now_ms(),
    )
    if s.runs.resume(effect, outcome) is not Resumed.NOW:
        return
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


def _exact_outcome(s: Services, pause: Pause, event: Event, now_ms: int) -> StepOutcome | None:
    """How the wait ends by the event; None if that had resumed its run before. What the row does not tell is read from
    the run."""
    run = s.runs.load(pause.run_id)
    step = None if run is None else run.steps.get(pause.step_id or "")
    if run is None or step is None:
        if s.runs.head(pause.run_id) is not None:
            # Beside a transaction a query may show the row before the step.
            raise InfrastructureError(f"the step that waits is not to be seen yet, of run {pause.run_id}")
        return None
    expected = Expected(run, step)
    choice = expected.choice(event) if expected.is_in_time(event) else None
    return None if choice is None else resumption(event, choice if step.plan.wait_any else None, now_ms)


def _wake(s: Services, pauses: Sequence[Pause]) -> None:
    """Whoever ended a wait, this event or another, may have died before it sent the turn. So the turns come first:
    without the rows, a redelivery would not find the waits any more."""
    over = s.runs.ended_plans(list(dict.fromkeys((pause.run_id, pause.step_id or "") for pause in pauses)))
    if not over:
        return
    s.queues.send_turns([TurnMessage(run_id=run_id) for run_id in dict.fromkeys(run_id for run_id, _ in over)])
    rows: list[PauseKey] = []
    for plan in over.values():
        rows += plan.pauses
    s.pauses.remove(rows)
    timers = [plan.timer for plan in over.values() if plan.timer is not None]
    if timers:
        s.timers.remove(timers)


def cancel_all(s: Services, pauses: Sequence[Pause], event: Event) -> None:
    """End the runs of these cancellations by the event, side by side, and settle them one after the other: each is read
    as a whole, which may be a large part of the memory there is."""
    try_all(
        lambda: side_by_side(lambda pause: _end_run(s, pause.run_id, event), pauses, s.settings.match_threads),
        *(partial(_settle, s, pause.run_id, pause.key) for pause in pauses),
    )


def cancel(s: Services, run_id: str, event: Event) -> None:
    """End the run because of this event, and settle it."""
    _end_run(s, run_id, event)
    settle.settle(s, run_id)


def _settle(s: Services, run_id: str, found_at: PauseKey) -> None:
    """Settle the run if it has ended. The row by which it was found goes last: as long as anything is left to do, a
    redelivery finds it."""
    head = s.runs.head(run_id)
    if head is not None:
        if head.ending is None:
            return
        if not head.settled:
            settle.settle(s, run_id, found_at)
    s.pauses.remove([found_at])


def _end_run(s: Services, run_id: str, event: Event) -> None:
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
