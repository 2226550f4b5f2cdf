"""Every minute: what is due soon leaves the timers table for the work queue with its exact delay, and scheduled
functions are started. Lines before limits are looked at. A missed tick is caught up by the next one."""

from __future__ import annotations

from chalicelib.core import events as names
from chalicelib.core import ids, limits, timers
from chalicelib.core.crons import CronSchedule
from chalicelib.core.events import Event
from chalicelib.core.functions import CronTrigger
from chalicelib.core.messages import EventMessage
from chalicelib.engine import lines
from chalicelib.engine.ports import QueueName
from chalicelib.engine.services import Services, logger
from chalicelib.engine.timing import delay_s

TIMER_MARK = "timers"
CRON_MARK = "cron"
_PAGE = 100
# After a long pause of the schedule, runs that were due longer ago than this are not made up for.
_CRON_CATCH_UP_MS = limits.HOUR_MS
# A little more than the minute between two ticks.
_CRON_LOOKAHEAD_MS = 75 * limits.SECOND_MS
_RESERVE_MS = 5_000


def tick(s: Services, deadline_ms: int) -> int:
    """Move what is due; how many timers were moved. Stops early when the invocation's time runs short."""
    start_schedules(s)
    moved = move_timers(s, deadline_ms)
    lines.sweep(s, deadline_ms)
    return moved


def move_timers(s: Services, deadline_ms: int) -> int:
    """Send, then remove: dying in between sends a second turn, which finds nothing to do."""
    now = s.clock.now_ms()
    stored = s.timers.get_mark(TIMER_MARK)
    first = mark = timers.first_bucket(stored, now)
    moved = 0
    for bucket in range(first, timers.bucket_of(now + timers.LOOKAHEAD_MS) + 1):
        is_empty = True
        for shard in range(timers.SHARDS):
            found = _move_shard(s, bucket, shard, deadline_ms)
            if found is None:
                break
            is_empty = is_empty and found == 0
            moved += found
        else:
            mark = timers.next_mark(bucket, is_empty, mark, now)
            continue
        break  # Out of time: what was not read may not be passed.
    if stored is None or mark != int(stored):
        s.timers.set_mark(TIMER_MARK, str(mark))
    return moved


def _move_shard(s: Services, bucket: int, shard: int, deadline_ms: int) -> int | None:
    """How many timers were moved; None when time ran out before all that are due were read."""
    found = 0
    while True:
        if s.clock.now_ms() > deadline_ms - _RESERVE_MS:
            return None
        now = s.clock.now_ms()
        due = s.timers.in_bucket(bucket, shard, now + timers.LOOKAHEAD_MS, _PAGE)
        for timer in due:
            # Unread: what this release does not know must keep none of the others, and is told of by its queue.
            s.queues.send_anew(QueueName.WORK, timer.body, delay_s=delay_s(timer.key.due_ms, s.clock.now_ms()))
        if due:
            s.timers.remove([timer.key for timer in due])
        found += len(due)
        if len(due) < _PAGE:
            return found


def start_schedules(s: Services) -> None:
    """Send the events of scheduled runs that are due until the next tick, each with its exact delay. Their ids are
    derived from function and time, so a tick that runs twice starts nothing twice."""
    now = s.clock.now_ms()
    horizon = now + _CRON_LOOKAHEAD_MS
    mark = s.timers.get_mark(CRON_MARK)
    after = now if mark is None else max(int(mark), now - _CRON_CATCH_UP_MS)
    for config in s.catalog.configs():
        for trigger in config.triggers:
            if not isinstance(trigger, CronTrigger):
                continue
            for due_ms in CronSchedule.parse(trigger.cron).due_between(after, horizon):
                logger.info("schedule due", extra={"function_id": config.id, "cron": trigger.cron})
                event = _scheduled(config.id, trigger.cron, due_ms)
                at_ms = starts_at_ms(config.id, trigger, due_ms)
                s.queues.send_events([event], delay_s=delay_s(at_ms, s.clock.now_ms()))
    if mark is None or horizon > int(mark):
        s.timers.set_mark(CRON_MARK, str(horizon))


def starts_at_ms(fn_id: str, trigger: CronTrigger, due_ms: int) -> int:
    """When the run starts that is due then: with jitter somewhat later, and whoever asks is told the same."""
    return due_ms + ids.jitter_ms(_scheduled(fn_id, trigger.cron, due_ms).event.internal_id, trigger.jitter_ms)


def _scheduled(fn_id: str, cron: str, due_ms: int) -> EventMessage:
    internal_id = ids.scheduled_event_id(fn_id, cron, due_ms, names.SCHEDULED)
    event = Event(
        internal_id=internal_id,
        received_at_us=due_ms * 1000,
        id=internal_id,
        name=names.SCHEDULED,
        data={"cron": cron},
        ts=due_ms,
        source="schedule",
    )
    return EventMessage(event=event, target=fn_id, cron=cron)
