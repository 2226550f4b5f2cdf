"""A run's timeouts are told by messages of their own; a turn that comes late looks at them, too, so that a message that
is lost lets no run go on (core.timeouts)."""

from __future__ import annotations

from chalicelib.core import timeouts
from chalicelib.core.messages import TurnMessage
from chalicelib.core.runs import RunHead
from chalicelib.core.timeouts import Timeout
from chalicelib.engine import settle, timing
from chalicelib.engine.services import Services, logger


def expect_start(s: Services, head: RunHead) -> None:
    """Have a run that is about to be sent its first turn looked at when it should have begun. Repeating it is
    harmless."""
    if head.seed.start_by_ms is not None:
        _send(s, head, Timeout.START, head.seed.start_by_ms)


def expect_finish(s: Services, head: RunHead) -> RunHead:
    """Have a run that has begun looked at when it should have ended, unless its head says that this was sent; the head
    as it is to be: whoever gives the lease back records it."""
    if head.is_timed or head.finish_by_ms is None:
        return head
    _send(s, head, Timeout.FINISH, head.finish_by_ms)
    return head.model_copy(update={"is_timed": True})


def _send(s: Services, head: RunHead, timeout: Timeout, by_ms: int) -> None:
    timing.schedule(s, TurnMessage(run_id=head.run_id, due_ms=by_ms, timeout=timeout))


def handle(s: Services, message: TurnMessage) -> None:
    """A timeout may have passed. Returning acknowledges the message."""
    if timing.came_early(s, message):
        return
    head = s.runs.head(message.run_id)
    if head is None:
        return
    head = end_if_passed(s, head) or head
    if head.ending is not None and not head.settled:
        settle.settle(s, head.run_id)


def end_if_passed(s: Services, head: RunHead) -> RunHead | None:
    """End an open run whose timeout has passed; its head, ended in this way or another. None when it goes on."""
    now = s.clock.now_ms()
    timeout = timeouts.passed(head, now)
    if timeout is None:
        return None
    ending = timeouts.ending(head, timeout, now)
    stored = s.runs.end(head.run_id, ending, owner=None, unbegun=timeout is Timeout.START)
    if stored is None or stored.ending is None:
        return None  # It was deleted, or began in time.
    if stored.ending == ending:
        logger.info(
            "timed out",
            extra={"run_id": head.run_id, "function_id": head.seed.fn_id, "timeout": timeout.value},
        )
    return stored
