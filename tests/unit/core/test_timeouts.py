"""When a run's timeouts have passed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core import limits
from chalicelib.core.runs import Ending, RunHead, RunSeed, RunStatus, overdue
from chalicelib.core.steps import TimerKey
from chalicelib.core.timeouts import Timeout, ending, no_later, passed, timers_left

NOW = 1_800_000_000_000
HOUR, MINUTE = limits.HOUR_MS, limits.MINUTE_MS


def head(
    start: int | None = None,
    finish: int | None = None,
    *,
    begun: int | None = None,
    ended: int | None = None,
    not_before: int | None = None,
) -> RunHead:
    """Times are counted from its creation."""
    seed = RunSeed(
        run_id="r",
        fn_id="f",
        event_id="e",
        event_name="n",
        trigger_received_at_us=NOW * 1_000,
        created_at_ms=NOW,
        not_before_ms=None if not_before is None else NOW + not_before,
        start_within_ms=start,
        finish_within_ms=finish,
    )
    end = None if ended is None else Ending(status=RunStatus.COMPLETED, ended_at_ms=NOW + ended)
    return RunHead(seed=seed, begun_at_ms=None if begun is None else NOW + begun, ending=end)


@pytest.mark.parametrize(
    ("run", "after_ms", "timeout"),
    [
        (head(), 1_000 * HOUR, None),
        (head(start=10), 9, None),
        (head(start=10), 10, Timeout.START),
        # It began in time, or late by a clock that is behind: either way it is there.
        (head(start=10, begun=9), 1_000 * HOUR, None),
        (head(start=10, begun=11), 1_000 * HOUR, None),
        # The time to end in begins with the run.
        (head(finish=10), 1_000 * HOUR, None),
        (head(finish=10, begun=5), 14, None),
        (head(finish=10, begun=5), 15, Timeout.FINISH),
        (head(start=10, finish=10, begun=5, ended=7), 1_000 * HOUR, None),
    ],
)
def test_which_has_passed(run: RunHead, after_ms: int, timeout: Timeout | None) -> None:
    assert passed(run, NOW + after_ms) is timeout


_times = st.one_of(st.none(), st.integers(1, 100))


@given(_times, _times, st.one_of(st.none(), st.integers(0, 100)), st.integers(0, 300), st.integers(0, 300))
def test_whoever_is_woken_when_told_to_comes_neither_too_soon_nor_in_vain(
    start: int | None, finish: int | None, begun: int | None, wake: int, look: int
) -> None:
    run = head(start, finish, begun=begun)

    next_look = no_later(run, NOW + wake)

    assert next_look <= NOW + wake
    if next_look < NOW + wake:
        assert passed(run, next_look) is not None
        assert passed(run, next_look - 1) is None
    elif look < wake:
        assert passed(run, NOW + look) is None


def test_a_throttled_run_whose_time_is_too_late_is_overdue_when_its_timeout_was_missed() -> None:
    run = head(start=HOUR, not_before=50 * HOUR)

    assert run.seed.due_ms == NOW + HOUR
    assert overdue(run, NOW + HOUR) is None
    assert overdue(run, NOW + 2 * HOUR) is not None
    assert head(start=60 * HOUR, not_before=50 * HOUR).seed.due_ms == NOW + 50 * HOUR


@pytest.mark.parametrize(
    ("run", "left"),
    [
        (head(ended=1), []),
        # A message was enough.
        (head(15 * MINUTE, 15 * MINUTE, begun=0, ended=1), []),
        (head(HOUR, ended=1), [(HOUR, "r#start")]),
        (head(HOUR, 2 * HOUR, begun=5, ended=6), [(HOUR, "r#start"), (2 * HOUR + 5, "r#finish")]),
        (head(HOUR, 2 * HOUR, begun=5, ended=HOUR), [(2 * HOUR + 5, "r#finish")]),
        (head(HOUR, 2 * HOUR, begun=5, ended=2 * HOUR + 5), []),
        # It never began.
        (head(HOUR, 2 * HOUR, ended=HOUR), []),
    ],
)
def test_which_timers_are_left_at_the_end(run: RunHead, left: list[tuple[int, str]]) -> None:
    assert timers_left(run) == [TimerKey(due_ms=NOW + due, name=name) for due, name in left]


def test_how_it_ends() -> None:
    found = ending(head(start=90_000), Timeout.START, NOW)

    assert (found.status, found.ended_at_ms) == (RunStatus.CANCELLED, NOW)
    assert found.error is not None
    assert found.error.message == "cancelled: it had not begun within 1m30s of its creation (timeouts.start)"
