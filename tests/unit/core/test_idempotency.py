"""One run for each value of the key in 24 hours."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.idempotency import Claim, claim
from chalicelib.core.limits import DAY_MS


def test_the_first_has_it_for_24_hours_to_the_millisecond() -> None:
    first = claim(None, "one", 1_000)

    assert first == Claim(run_id="one", until_ms=1_000 + DAY_MS)
    assert claim(first, "two", 999 + DAY_MS) is first
    assert claim(first, "two", 1_000 + DAY_MS) == Claim(run_id="two", until_ms=1_000 + 2 * DAY_MS)


def test_its_own_is_known_again_whenever_its_message_comes_back() -> None:
    first = claim(None, "one", 0)

    assert claim(first, "one", 10 * DAY_MS) is first


@given(st.lists(st.tuples(st.integers(0, DAY_MS // 2), st.integers(0, 5)), max_size=60))
def test_never_two_within_24_hours_and_one_in_each_where_somebody_asks(asked: list[tuple[int, int]]) -> None:
    now, held, began = 0, None, list[int]()
    for number, (gap, repeats) in enumerate(asked):
        now += gap
        before = held
        for _ in range(repeats + 1):  # Deliveries of one message.
            held = claim(held, str(number), now)
        if held != before:
            began.append(now)
        assert held is not None
        assert now - began[-1] < DAY_MS

    assert all(later - earlier >= DAY_MS for earlier, later in pairwise(began))
