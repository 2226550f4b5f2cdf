"""Timeouts: a run that has not begun, or not ended, in time is cancelled."""

from __future__ import annotations

from enum import StrEnum

from chalicelib.core import limits
from chalicelib.core.calls import ErrorInfo
from chalicelib.core.durations import format_duration
from chalicelib.core.runs import Ending, RunHead, RunStatus
from chalicelib.core.steps import Cause, CauseKind, TimerKey


class Timeout(StrEnum):
    """As the configuration names them: from a run's creation to its beginning, from there to its end."""

    START = "start"
    FINISH = "finish"


def passed(head: RunHead, now_ms: int) -> Timeout | None:
    """Which timeout of an open run has passed."""
    if head.ending is not None:
        return None
    if head.begun_at_ms is None:
        by_ms = head.seed.start_by_ms
        return Timeout.START if by_ms is not None and by_ms <= now_ms else None
    by_ms = head.finish_by_ms
    return Timeout.FINISH if by_ms is not None and by_ms <= now_ms else None


def no_later(head: RunHead, wake_at_ms: int) -> int:
    """When a run is next to be looked at: then, or when its timeout passes."""
    by_ms = head.seed.start_by_ms if head.begun_at_ms is None else head.finish_by_ms
    return wake_at_ms if by_ms is None else min(wake_at_ms, by_ms)


def ending(head: RunHead, timeout: Timeout, now_ms: int) -> Ending:
    """How the run ends whose timeout has passed."""
    if timeout is Timeout.START:
        text = f"it had not begun within {format_duration(head.seed.start_within_ms or 0)} of its creation"
    else:
        text = f"it had not ended within {format_duration(head.seed.finish_within_ms or 0)} of its beginning"
    return Ending(
        status=RunStatus.CANCELLED,
        ended_at_ms=now_ms,
        error=ErrorInfo(name="FunctionCancelled", message=f"cancelled: {text} (timeouts.{timeout.value})"),
        cause=Cause(kind=CauseKind.TIMEOUT, name=timeout.value),
    )


def timer_name(run_id: str, timeout: Timeout) -> str:
    """What its far timer is called."""
    return f"{run_id}#{timeout.value}"


def timers_left(head: RunHead) -> list[TimerKey]:
    """The far timers that may still lie there when the run has ended."""
    assert head.ending is not None
    times = (
        (Timeout.START, head.seed.start_by_ms, head.seed.start_within_ms),
        (Timeout.FINISH, head.finish_by_ms, head.seed.finish_within_ms),
    )
    return [
        TimerKey(due_ms=by_ms, name=timer_name(head.run_id, timeout))
        for timeout, by_ms, within_ms in times
        if by_ms is not None
        and by_ms > head.ending.ended_at_ms
        and within_ms is not None
        and within_ms > limits.MAX_MESSAGE_DELAY_MS
    ]
