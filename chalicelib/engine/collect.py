"""Every few minutes: nobody is forgotten, and nothing is left lying about. Bounded per call, going on where the last
call stopped."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.core import limits
from chalicelib.core.messages import EventMessage, LifecycleMessage, LookBackMessage, TurnMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.pauses import Pause, PauseKind
from chalicelib.core.runs import Reason, RunHead, overdue
from chalicelib.engine import lines
from chalicelib.engine.services import Services, logger

OPEN_SHARDS = 8
_PAGE = 100
_PAUSE_PAGE = 200
_PAUSE_GRACE_MS = limits.HOUR_MS
_RESERVE_MS = 5_000
PAUSE_MARK = "collect-pauses"


def open_shard_mark(shard: int) -> str:
    return f"collect-open-{shard}"


def collect(s: Services, deadline_ms: int, pages: int = 50) -> int:
    """Poke every open run that is overdue, and look through some of the pause index; how many runs were poked."""
    poked = 0
    for shard in range(OPEN_SHARDS):
        after = s.timers.get_mark(open_shard_mark(shard)) or None
        for _ in range(max(1, pages // OPEN_SHARDS)):
            ids, next_after = s.runs.open_page(shard, after, _PAGE)
            poked += sum(_poke_if_overdue(s, head) for head in s.runs.heads(ids))
            if next_after != after:
                s.timers.set_mark(open_shard_mark(shard), next_after or "")
            after = next_after
            if after is None or s.clock.now_ms() > deadline_ms - _RESERVE_MS:
                break
    collect_pauses(s)
    return poked


def _poke_if_overdue(s: Services, head: RunHead) -> bool:
    reason = overdue(head, s.clock.now_ms())
    if reason is None:
        return False
    if reason is Reason.TIMER_MISSED and lines.is_held(s, head.seed.fn_id):
        # It waits for its function to be resumed, and sees to it that it is kept.
        reason = Reason.IN_LINE
    told = {"run_id": head.run_id, "function_id": head.seed.fn_id, "reason": reason.value}
    if reason is Reason.IN_LINE:
        logger.info("run is sent a turn", extra=told)
    else:
        logger.warning("run was forgotten", extra=told)
    if reason is not Reason.NEVER_BEGAN or not _send_start_again(s, head):
        s.queues.send_work(TurnMessage(run_id=head.run_id))
    s.runs.mark_poked(head.run_id, s.clock.now_ms())
    if reason is not Reason.IN_LINE:
        s.metrics.count(Metric.RUNS_POKED)
    return True


def _send_start_again(s: Services, head: RunHead) -> bool:
    """A run that never began may not have looked back for what cancelled it: its event's message does both again."""
    if head.seed.gathered is not None or head.seed.original_run_id is not None:
        # No event's message starts it again. Under no name: from the beginning.
        s.queues.send_events([LookBackMessage(run_id=head.run_id, name="", position="")])
        return True
    record = s.events.get(head.seed.event_id)
    if record is None:
        return False
    if record.from_run is not None:
        s.queues.send_events([LifecycleMessage(run_id=record.from_run, name=record.event.name)])
        return True
    targeted = record.invoker is not None or record.cron is not None
    message = EventMessage(
        event=record.event,
        target=head.seed.fn_id if targeted else None,
        invoker=record.invoker,
        cron=record.cron,
    )
    s.queues.send_events([message])
    return True


def collect_pauses(s: Services) -> int:
    """Some rows of the index. A row past its time whose step still waits has its timeout fired by a turn; it is
    removed only when nothing waits for it any more."""
    stored = s.timers.get_mark(PAUSE_MARK)
    rows, next_after = s.pauses.scan(stored or None, _PAUSE_PAGE)
    now = s.clock.now_ms()
    gone = []
    for pause in rows:
        if pause.accept_until_ms + _PAUSE_GRACE_MS >= now:
            continue
        if _is_needed(s, pause):
            s.queues.send_work(TurnMessage(run_id=pause.run_id))
        else:
            gone.append(pause.key)
    if gone:
        s.pauses.remove(gone)
        logger.info("pauses collected", extra={"count": len(gone)})
    if (next_after or "") != (stored or ""):
        s.timers.set_mark(PAUSE_MARK, next_after or "")
    return len(gone)


def _is_needed(s: Services, pause: Pause) -> bool:
    if pause.kind is PauseKind.CANCEL or pause.step_id is None:
        return False
    step = s.runs.get_step(pause.run_id, pause.step_id)
    if step is None or step.status.is_final:
        return False
    head = s.runs.head(pause.run_id)
    return head is not None and head.ending is None


def wake_due(s: Services, is_due: Callable[[RunHead, int], bool]) -> int:
    """Send a turn to every open run that is due by the clock: for a clock that has been moved ahead."""
    woken = 0
    for shard in range(OPEN_SHARDS):
        after = None
        while True:
            ids, after = s.runs.open_page(shard, after, _PAGE)
            for head in s.runs.heads(ids):
                if is_due(head, s.clock.now_ms()):
                    s.queues.send_work(TurnMessage(run_id=head.run_id))
                    woken += 1
            if after is None:
                break
    return woken


def is_due(head: RunHead, now_ms: int) -> bool:
    """A suspended run whose time has come, or a lease that ran out."""
    if head.ending is not None or head.owner is not None:
        return not head.lease_is_live(now_ms)
    due_ms = head.seed.not_before_ms if head.begun_at_ms is None and head.wake_at_ms is None else head.wake_at_ms
    return due_ms is not None and due_ms <= now_ms
