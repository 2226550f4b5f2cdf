"""Never more than the limit in any period, to the millisecond."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.rate_limits import Rate, Starts, next_start_ms, start

MINUTE = Rate(2, 60_000)


def granted(rate: Rate, times: list[int]) -> list[int]:
    """At which of these times a run started."""
    known, found = Starts(), []
    for number, now in enumerate(times):
        after = start(known, rate, f"run-{number}", now)
        if after is not None:
            known = after
            found.append(now)
    return found


@pytest.mark.parametrize(
    ("asked", "started"),
    [
        ([0, 0, 0], [0, 0]),
        ([0, 59_999, 59_999], [0, 59_999]),
        # Exactly one period later it may.
        ([0, 10, 59_999, 60_000, 60_009, 60_010], [0, 10, 60_000, 60_010]),
        ([0, 30_000, 60_000, 60_001, 90_000], [0, 30_000, 60_000, 90_000]),
    ],
)
def test_the_edges(asked: list[int], started: list[int]) -> None:
    assert granted(MINUTE, asked) == started


def test_a_decision_that_is_repeated_finds_itself_and_takes_no_more() -> None:
    once = start(Starts(), MINUTE, "a", 0)
    assert once is not None

    assert start(once, MINUTE, "a", 1) is once
    assert start(once, MINUTE, "a", 90_000) is once


RATES = st.builds(Rate, st.integers(1, 60), st.sampled_from([1_000, 60_000, 86_400_000]))


@given(RATES, st.lists(st.tuples(st.integers(-50, 4_000), st.booleans()), max_size=300))
def test_never_above_the_limit_in_any_period_and_nothing_dropped_without_need(
    rate: Rate, steps: list[tuple[int, bool]]
) -> None:
    """Clocks of two processes may differ, so that time runs backwards at times; messages come twice."""
    known, now, started, exact = Starts(), 100_000, list[int](), rate.grain_ms == 1
    for number, (gap, comes_twice) in enumerate(steps):
        now = max(0, now + gap * rate.period_ms // 20_000)
        counting = [at for at in started if at + rate.period_ms > now]
        for _ in range(1 + comes_twice):
            after = start(known, rate, f"run-{number}", now)
            if after is None:
                # At the coarser grain a start counts for up to a part of the period longer.
                longer = [at for at in started if at + rate.period_ms + (0 if exact else rate.grain_ms) > now]
                assert len(longer) >= rate.limit
                break
            known = after
        else:
            started.append(now)
            assert len(counting) < rate.limit
    for begin in started:
        assert sum(begin <= at < begin + rate.period_ms for at in started) <= rate.limit


@given(RATES, st.integers(0, 10**9))
def test_the_whole_limit_may_start_at_once(rate: Rate, now: int) -> None:
    assert len(granted(rate, [now] * (rate.limit + 5))) == rate.limit


@given(RATES, st.lists(st.integers(0, 4_000), min_size=1, max_size=100))
def test_when_the_next_may_start(rate: Rate, gaps: list[int]) -> None:
    known, now = Starts(), 0
    for number, gap in enumerate(gaps):
        now += gap * rate.period_ms // 20_000
        known = start(known, rate, f"run-{number}", now) or known

    then = next_start_ms(known, rate, now)

    assert start(known, rate, "next", then) is not None
    assert then == now or start(known, rate, "next", then - 1) is None


def test_what_is_remembered_fits_a_write_unit_whatever_the_limit() -> None:
    rate, known = Rate(1_000_000, 86_400_000), Starts()
    for number in range(5_000):
        known = start(known, rate, f"01MCC5RM00W09B4502813F{number:04d}", 1_800_000_000_000 + number * 40_000) or known

    assert len(known.model_dump_json()) < 900
