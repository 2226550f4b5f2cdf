"""An event arrives from the queue: its record first, then the waits and cancellations that it meets, then the runs
that it starts. All of it may be repeated; the message is acknowledged when all of it is durable (laws 1 and 2)."""

from __future__ import annotations

from functools import partial

from chalicelib.core import ids, limits
from chalicelib.core.events import Event
from chalicelib.core.functions import CronTrigger, EventTrigger, FunctionConfig
from chalicelib.core.matching import event_name_matches, trigger_matches
from chalicelib.core.messages import EventMessage, LifecycleMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.records import EventRecord, EventTimes, Start
from chalicelib.engine import flow, holders, joining, lifecycle, match_pages, pausing, start
from chalicelib.engine.logs import ids_logged
from chalicelib.engine.services import Services, logger
from chalicelib.engine.side_by_side import try_all

# Events of these sources are Stepwell's own.
_OWN_SOURCES = frozenset({"invoke", "schedule", "stepwell"})


def process(s: Services, message: EventMessage | LifecycleMessage) -> None:
    """Carry out everything that the event causes."""
    began_ms = s.clock.now_ms()
    if isinstance(message, LifecycleMessage):
        record = _lifecycle_record(s, message, began_ms)
        if record is None:
            return
    else:
        record = EventRecord(
            event=message.event,
            starts=_starts(s, message),
            invoker=message.invoker,
            cron=message.cron,
            processed_at_ms=began_ms,
        )
    s.events.note_name(record.event.name, s.clock.now_ms())
    # First write wins: a second delivery goes on with what the first one decided, whatever was deployed since.
    stored = s.events.put(record)
    event = record.event if stored.from_run is not None else stored.event
    with ids_logged(event_id=event.internal_id):
        if stored is record:
            _count(s, record)
        else:
            s.metrics.count(Metric.DUPLICATES_IGNORED)
            _undo(s, event, record.starts, stored.starts)
        _carry_out(s, event, stored, is_first=stored is record)
        if stored.from_run is not None:
            s.exit.tell(event)


def _count(s: Services, record: EventRecord) -> None:
    """What is counted of an event once, since its record is written once."""
    if record.event.source not in _OWN_SOURCES:
        s.metrics.count(Metric.EVENTS_IN)
    s.metrics.count(Metric.DUPLICATES_IGNORED, sum(start.duplicate_of is not None for start in record.starts))
    s.metrics.count(Metric.EXPRESSION_ERRORS, sum(start.problem is not None for start in record.starts))
    s.metrics.count(Metric.EXPRESSION_ERRORS, sum(len(start.notes) for start in record.starts))
    s.metrics.count(Metric.STARTS_SKIPPED, sum(start.skipped is not None for start in record.starts))
    s.metrics.observe(Metric.EVENT_AGE, max(0, record.processed_at_ms - record.event.received_at_ms))
    s.metrics.observe(Metric.RECORD_TIME, s.clock.now_ms() - record.processed_at_ms)


def _carry_out(s: Services, event: Event, stored: EventRecord, *, is_first: bool) -> None:
    # Of an event that was delivered before, the record says at least when it was about to be written.
    recorded_ms = s.clock.now_ms() if is_first else stored.processed_at_ms
    matched_ms: list[int] = []

    def meet() -> None:
        try:
            match_pages.meet(s, event, is_first=is_first)
        finally:
            matched_ms.append(s.clock.now_ms())

    def begin(planned: Start) -> None:
        times = EventTimes(recorded_ms=recorded_ms, matched_ms=matched_ms[0])
        _start(s, event, planned, times, stored)

    # What keeps one of them from being done keeps none of the others.
    try_all(meet, *(partial(begin, planned) for planned in stored.starts))
    times = EventTimes(recorded_ms=recorded_ms, matched_ms=matched_ms[0])
    if is_first:
        s.metrics.observe(Metric.MATCH_TIME, times.matched_ms - times.recorded_ms)
    if stored.from_run is None and not any(planned.is_live for planned in stored.starts):
        s.events.put_times(event.internal_id, times)


def _start(s: Services, event: Event, planned: Start, times: EventTimes, stored: EventRecord) -> None:
    if planned.is_live:
        start.begin(s, event, planned, times, invoker=stored.invoker, cron=stored.cron)
        return
    if planned.join is not None:
        joining.join(s, event, planned, stored)
        return
    logger.info(
        "nothing started",
        extra={
            "event_id": event.internal_id,
            "function_id": planned.fn_id,
            "reason": planned.why_not(event.user_id),
        },
    )
    if stored.invoker is not None:
        flow.refuse_invoker(s, planned, stored.invoker, stored.processed_at_ms)


def _lifecycle_record(s: Services, message: LifecycleMessage, began_ms: int) -> EventRecord | None:
    event = lifecycle.event_of(s, message.run_id, message.name)
    if event is None:
        logger.warning("the run of a lifecycle event is gone", extra={"run_id": message.run_id})
        return None
    return EventRecord(
        event=event,
        starts=_starts(s, EventMessage(event=event)),
        from_run=message.run_id,
        processed_at_ms=began_ms,
    )


def _starts(s: Services, message: EventMessage) -> tuple[Start, ...]:
    """Which runs the event starts, and which it does not: the function is paused, the user's id was seen within 24
    hours, or flow control has something against it."""
    event = message.event
    # What was synced before the event was accepted is to be started by it.
    s.catalog.catch_up(event.received_at_ms)
    if message.target is not None:
        planned = Start(fn_id=message.target, run_id=ids.run_id(event.internal_id, message.target))
        config = s.catalog.get(message.target)
        if message.cron is not None and config is not None and config.retired:
            planned = planned.model_copy(update={"problem": "its app has the function no more"})
        planned = pausing.unless_skipped(s, planned)
        return (flow.admit(s, config, event, planned),)
    found = []
    for config in s.catalog.configs():
        matched, problem = _triggered(config, event)
        if not matched and problem is None:
            continue
        planned = Start(fn_id=config.id, run_id=ids.run_id(event.internal_id, config.id), problem=problem)
        # Before anything is taken for it: what is skipped may be sent again.
        planned = pausing.unless_skipped(s, planned)
        if planned.is_live and event.user_id is not None:
            holder = s.events.claim_id(config.id, event.user_id, planned.run_id, s.clock.now_ms())
            if holder != planned.run_id:
                planned = planned.model_copy(update={"duplicate_of": holder})
        found.append(flow.admit(s, config, event, planned))
    return tuple(found)


def _undo(s: Services, event: Event, planned: tuple[Start, ...], decided: tuple[Start, ...]) -> None:
    """Another delivery of the event had decided before, and otherwise, as when a function was paused at the time: give
    back what was claimed for runs that are not to be."""
    holders.undo(s, planned, decided)
    kept = {one.run_id for one in decided if one.is_live or one.join is not None}
    for one in planned:
        if (one.is_live or one.join is not None) and one.run_id not in kept:
            if event.user_id is not None:
                s.events.release_id(one.fn_id, event.user_id, one.run_id)
            flow.give_back_key(s, s.catalog.get(one.fn_id), event, one.run_id)


def _triggered(config: FunctionConfig, event: Event) -> tuple[bool, str | None]:
    """Whether one of the function's triggers matches; else the error that kept one from matching."""
    problem = None
    for trigger in config.triggers:
        if isinstance(trigger, CronTrigger) or not names_match(trigger, event):
            continue
        matched, error = trigger_matches(trigger.expression, event.payload())
        if matched:
            return True, None
        if error is not None:
            problem = f"the trigger's expression could not be evaluated: {error}"
    return False, problem


def names_match(trigger: EventTrigger, event: Event) -> bool:
    """Whether the trigger listens to events of this name."""
    # A wildcard is meant for the user's own events; ours are listened to by their whole name.
    if event.name.startswith(limits.RESERVED_EVENT_PREFIX) and trigger.event != event.name:
        return False
    return event_name_matches(trigger.event, event.name)
