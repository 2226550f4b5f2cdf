"""Starts are spaced; nothing is lost and nothing overtakes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.throttling import Pace, Schedule, slot

SECOND = 1_000


def starts(pace: Pace, asked: list[int]) -> list[int]:
    """The times that runs are given which ask at these."""
    known, found = Schedule(), []
    for number, now in enumerate(asked):
        got = slot(known, pace, f"run-{number}", now)
        known = got.schedule
        found.append(got.start_ms)
    return found


@pytest.mark.parametrize(
    ("pace", "asked", "given_times"),
    [
        (Pace(1, SECOND), [0, 0, 0], [0, 1000, 2000]),
        (Pace(2, SECOND), [0, 0, 500, 501], [0, 500, 1000, 1500]),
        (Pace(1, SECOND), [0, 999, 2000], [0, 1000, 2000]),
        (Pace(1, SECOND), [0, 1000, 1999], [0, 1000, 2000]),
        (Pace(1, SECOND, burst=3), [0, 0, 0, 0, 0], [0, 0, 0, 1000, 2000]),
        # A burst is saved up again, one for each interval.
        (Pace(1, SECOND, burst=2), [0, 0, 1000, 1000, 4000, 4000, 4000], [0, 0, 1000, 2000, 4000, 4000, 5000]),
        (Pace(3, SECOND), [0] * 5, [0, 334, 667, 1001, 1334]),
    ],
)
def test_the_edges(pace: Pace, asked: list[int], given_times: list[int]) -> None:
    assert starts(pace, asked) == given_times


def test_a_run_that_was_given_a_time_has_it_still() -> None:
    first = slot(Schedule(), Pace(1, SECOND), "a", 0)
    second = slot(first.schedule, Pace(1, SECOND), "b", 0)

    again = slot(second.schedule, Pace(1, SECOND), "b", 5_000)

    assert (again.start_ms, again.schedule) == (1_000, second.schedule)


PACES = st.builds(Pace, st.integers(1, 50), st.sampled_from([1_000, 60_000]), st.integers(1, 8))


@given(PACES, st.lists(st.tuples(st.integers(-20, 2_000), st.booleans()), min_size=1, max_size=150), st.integers(1, 9))
def test_never_faster_than_the_pace_in_any_window_and_nobody_waits_in_vain(
    pace: Pace, steps: list[tuple[int, bool]], windows: int
) -> None:
    known, now, found = Schedule(), 50_000, list[int]()
    for number, (gap, comes_twice) in enumerate(steps):
        now = max(0, now + gap)
        got = slot(known, pace, f"run-{number}", now)
        assert got.start_ms >= now
        if comes_twice:
            assert slot(got.schedule, pace, f"run-{number}", now + gap).start_ms == got.start_ms
        known = got.schedule
        found.append(got.start_ms)
        # Whoever waits is there because the pace is used up: just before, one start too many would fit.
        if got.start_ms > now:
            before = [at for at in found[:-1] if at <= got.start_ms]
            span_us = (len(before) - pace.burst + 1) * pace.interval_us
            assert span_us >= 0
    length_ms = windows * pace.period_ms // 3
    most = pace.burst + length_ms * 1_000 // pace.interval_us
    for begin in found:
        assert sum(begin <= at < begin + length_ms for at in found) <= most
    assert found == sorted(found) or min(gap for gap, _ in steps) < 0


@given(PACES, st.integers(0, 200))
def test_who_come_at_once_are_done_in_the_time_that_the_limit_takes(pace: Pace, crowd: int) -> None:
    found = starts(pace, [0] * crowd)

    expected = [-(-max(0, number - pace.burst + 1) * pace.interval_us // 1_000) for number in range(crowd)]
    assert found == expected
