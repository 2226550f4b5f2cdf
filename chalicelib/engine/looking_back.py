"""A wait that looks back finds the newest event that it would have met before it was registered.

An event's record is written before the event reads the index, and the rows of a wait before the wait looks back: one of
the two sees the other (law 6). Until the step says that it has looked back, every turn of its run does so, and the wait
does not time out; how far a long look back has come is kept in the step, so that another turn goes on from there.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from chalicelib.core import ids
from chalicelib.core.errors import LeaseLost
from chalicelib.core.events import Event
from chalicelib.core.metrics import Metric
from chalicelib.core.records import Effect, EffectKind, EventRecord, Resumed
from chalicelib.core.runs import Run
from chalicelib.core.steps import StepRecord, in_order
from chalicelib.engine import cleanup, lifecycle
from chalicelib.engine.services import Services, logger
from chalicelib.engine.waits import Expected, resumption


def look_back(s: Services, run: Run, is_short_of_time: Callable[[], bool]) -> list[StepRecord]:
    """Look back for every wait that has to, as long as there is time; `run.steps` is brought up to date. The waits for
    which that was done, as they are now."""
    looked: list[StepRecord] = []
    for step in in_order(run.steps.values()):
        if not step.is_looking_back:
            continue
        while step.is_looking_back:
            step = run.steps[step.id] = _look(s, run, step, is_short_of_time)
            if is_short_of_time():
                return [*looked, step]
        looked.append(step)
    return looked


def _look(s: Services, run: Run, step: StepRecord, is_short_of_time: Callable[[], bool]) -> StepRecord:
    """Look at events from where the step has come to; the step as it is recorded afterwards."""
    assert step.look_before is not None
    expected = Expected(run, step)
    found: tuple[Event, int] | None = None
    looked_at, reached = 0, None
    for record in _records(s, expected, step):
        if found is not None and record.event.received_at_ms < found[0].received_at_ms:
            break
        event = lifecycle.whole(s, record) if expected.is_in_time(record.event) else None
        choice = None if event is None else expected.choice(event)
        # Within a millisecond events stand in no order.
        if event is not None and choice is not None and (found is None or _is_newer(event, found[0])):
            found = event, choice
        looked_at += 1
        if found is None and (looked_at >= s.settings.look_back_per_turn or is_short_of_time()):
            reached = _position(record)
            break
    s.metrics.count(Metric.EXPRESSION_ERRORS, expected.errors)
    if found is not None:
        return _resume(s, run, step, *found)
    _log("looked back without a match", run, step, looked_at=looked_at, goes_on=reached is not None)
    return s.runs.look_on(run.head.run_id, step.id, was=step.look_before, now=reached)


def _records(s: Services, expected: Expected, step: StepRecord) -> Iterator[EventRecord]:
    """Events that were accepted since then and are not looked at yet, of all names, newest first."""
    after = ids.position((step.plan.accept_after_us or 0) // 1000)
    before = step.look_before or after
    each = [s.events.between(name, after=after, before=before, newest_first=True) for name in expected.names]
    return heapq.merge(*each, key=_position, reverse=True)


def _position(record: EventRecord) -> str:
    return ids.event_position(record.event.internal_id, record.event.received_at_ms)


def _is_newer(event: Event, other: Event) -> bool:
    return event.received_at_us > other.received_at_us


def _resume(s: Services, run: Run, step: StepRecord, event: Event, choice: int) -> StepRecord:
    run_id, now = run.head.run_id, s.clock.now_ms()
    effect = Effect(event_id=event.internal_id, kind=EffectKind.RESUMED, run_id=run_id, step_id=step.id, at_ms=now)
    outcome = resumption(event, choice if step.plan.wait_any else None, now, looked_back=True)
    if s.runs.resume(effect, outcome) is Resumed.NOW:
        s.metrics.count(Metric.WAITS_MATCHED)
        _log("resumed by an earlier event", run, step, event_id=event.internal_id, event_name=event.name)
    stored = s.runs.get_step(run_id, step.id)
    if stored is None:
        raise LeaseLost("the run was deleted")
    cleanup.remove_traces(s, run_id, [stored])
    return stored


def _log(text: str, run: Run, step: StepRecord, **extra: object) -> None:
    of_run = {"run_id": run.head.run_id, "function_id": run.head.seed.fn_id, "step": step.plan.name}
    logger.info(text, extra={**of_run, **extra})
