"""An event arrives from the queue: its record first, then the waits and cancellations that it meets, then the runs
that it starts. All of it may be repeated; the message is acknowledged when all of it is durable (laws 1 and 2)."""

from __future__ import annotations

from chalicelib.core import ids, limits
from chalicelib.core.events import Event
from chalicelib.core.functions import CronTrigger, EventTrigger, FunctionConfig
from chalicelib.core.matching import event_name_matches, trigger_matches
from chalicelib.core.messages import EventMessage, LifecycleMessage
from chalicelib.core.records import EffectKind, EventRecord, Start
from chalicelib.engine import lifecycle, match, settle, start
from chalicelib.engine.logs import ids_logged
from chalicelib.engine.services import Services, logger


def process(s: Services, message: EventMessage | LifecycleMessage) -> None:
    """Carry out everything that the event causes."""
    if isinstance(message, LifecycleMessage):
        record = _lifecycle_record(s, message)
        if record is None:
            return
    else:
        record = EventRecord(
            event=message.event,
            starts=_starts(s, message),
            invoker=message.invoker,
            cron=message.cron,
            processed_at_ms=s.clock.now_ms(),
        )
    s.events.note_name(record.event.name, s.clock.now_ms())
    # First write wins: a second delivery goes on with what the first one decided, whatever was deployed since.
    stored = s.events.put(record)
    event = record.event if stored.from_run is not None else stored.event
    with ids_logged(event_id=event.internal_id):
        if stored is not record:
            _go_on(s, event)
        _carry_out(s, event, stored)


def _go_on(s: Services, event: Event) -> None:
    """An earlier delivery may have died while it settled a run that the event cancelled. Its pauses may be gone,
    so the run is found by the marker of its cancellation."""
    effects = s.events.effects(event.internal_id)
    cancelled = [effect.run_id for effect in effects if effect.kind is EffectKind.CANCELLED]
    for head in s.runs.heads(cancelled):
        if not head.settled:
            settle.settle(s, head.run_id)


def _carry_out(s: Services, event: Event, stored: EventRecord) -> None:
    match.meet(s, event)
    for planned in stored.starts:
        if planned.is_live:
            start.begin(s, event, planned, invoker=stored.invoker, cron=stored.cron)
        else:
            logger.info(
                "nothing started",
                extra={
                    "event_id": event.internal_id,
                    "function_id": planned.fn_id,
                    "reason": planned.problem or f"its id already started run {planned.duplicate_of}",
                },
            )


def _lifecycle_record(s: Services, message: LifecycleMessage) -> EventRecord | None:
    event = lifecycle.event_of(s, message.run_id, message.name)
    if event is None:
        logger.warning("the run of a lifecycle event is gone", extra={"run_id": message.run_id})
        return None
    return EventRecord(
        event=event,
        starts=_starts(s, EventMessage(event=event)),
        from_run=message.run_id,
        processed_at_ms=s.clock.now_ms(),
    )


def _starts(s: Services, message: EventMessage) -> tuple[Start, ...]:
    """Which runs the event starts, and which it does not because the user's id was seen within 24 hours."""
    event = message.event
    if message.target is not None:
        planned = Start(fn_id=message.target, run_id=ids.run_id(event.internal_id, message.target))
        return (planned,)
    found = []
    for config in s.catalog.configs():
        matched, problem = _triggered(config, event)
        if not matched and problem is None:
            continue
        planned = Start(fn_id=config.id, run_id=ids.run_id(event.internal_id, config.id), problem=problem)
        if matched and event.user_id is not None:
            holder = s.events.claim_id(config.id, event.user_id, planned.run_id, s.clock.now_ms())
            if holder != planned.run_id:
                planned = planned.model_copy(update={"duplicate_of": holder})
        found.append(planned)
    return tuple(found)


def _triggered(config: FunctionConfig, event: Event) -> tuple[bool, str | None]:
    """Whether one of the function's triggers matches; else the error that kept one from matching."""
    problem = None
    for trigger in config.triggers:
        if isinstance(trigger, CronTrigger) or not _names_match(trigger, event):
            continue
        matched, error = trigger_matches(trigger.expression, event.payload())
        if matched:
            return True, None
        if error is not None:
            problem = f"the trigger's expression could not be evaluated: {error}"
    return False, problem


def _names_match(trigger: EventTrigger, event: Event) -> bool:
    # A wildcard is meant for the user's own events; ours are listened to by their whole name.
    if event.name.startswith(limits.RESERVED_EVENT_PREFIX) and trigger.event != event.name:
        return False
    return event_name_matches(trigger.event, event.name)
