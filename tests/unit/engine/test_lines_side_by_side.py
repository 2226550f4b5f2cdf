"""Places and lines under any schedule of deliveries, crashes, duplicates and expiries: never above the limit, nothing
lost, everybody's turn comes; and without a fault in order, without waiting for the clock."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.engine import concurrency
from tests.unit.engine.lines_world import VISIBLE_AGAIN_MS, LinesWorld, Message

ONE = {"a": 1}
_KEYS = st.sampled_from([("a",), ("b",), ("a", "b")])
_MOST_STEPS = 4_000
_MINUTES = 60


def world(needs: list[tuple[str, ...]], limits: dict[str, int]) -> LinesWorld:
    made = LinesWorld({f"run-{number:02d}": keys for number, keys in enumerate(needs)}, limits)
    for run in made.needs:
        made.start(run)
    return made


def play(made: LinesWorld, draw: st.DataObject, *, crashes: int = 0, duplicates: int = 0, workers: int = 3) -> None:
    """Whatever can happen next, chosen freely, until the world is at rest without the clock."""
    for _ in range(_MOST_STEPS):
        choices: list[tuple[str, object]] = [("go on", delivery) for delivery in made.running]
        visible = made.visible()
        if len(made.running) < workers:
            choices += [("deliver", message) for message in visible[:4]]
        if not choices:
            return
        if crashes:
            choices += [("crash", delivery) for delivery in made.running]
        if duplicates:
            choices += [("duplicate", message) for message in visible[:2]]
        # The first one is what shrinks best: go on with whoever runs.
        what, which = choices[draw.draw(st.integers(0, len(choices) - 1), label="next")]
        if what == "go on":
            made.advance(which)  # type: ignore[arg-type]
        elif what == "deliver":
            made.deliver(which)  # type: ignore[arg-type]
        elif what == "crash":
            made.crash(which)  # type: ignore[arg-type]
            crashes -= 1
        else:
            assert isinstance(which, Message)
            made.duplicate(which)
            duplicates -= 1
        for key, limit in made.limits.items():
            assert made.most[key] <= limit, f"{made.most[key]} executed at once under {key}"
    raise AssertionError("it goes round and round")


def settle(made: LinesWorld, draw: st.DataObject) -> None:
    """The clock goes on, a minute at a time, with its sweep."""
    for _ in range(_MINUTES):
        if made.ended == set(made.needs) and not made.queue:
            return
        made.now_ms += 60_000
        made.sweep()
        play(made, draw)
    raise AssertionError(f"not over after an hour: {set(made.needs) - made.ended}, {made.left_over()}")


_relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@_relaxed
@given(st.data(), st.integers(1, 2), st.integers(2, 5))
def test_without_a_fault_all_is_done_without_the_clock(draw: st.DataObject, limit: int, runs: int) -> None:
    made = world([("a",)] * runs, {"a": limit})
    play(made, draw)

    assert made.ended == set(made.needs)
    assert made.left_over() == []
    assert len(made.entered) == runs


@_relaxed
@given(st.data(), st.lists(_KEYS, min_size=2, max_size=5))
def test_two_limits_without_a_fault(draw: st.DataObject, needs: list[tuple[str, ...]]) -> None:
    made = world(needs, {"a": 1, "b": 1})
    play(made, draw)

    assert made.ended == set(made.needs), made.left_over()
    assert made.left_over() == []


@_relaxed
@given(st.data(), st.lists(_KEYS, min_size=2, max_size=4), st.integers(0, 2), st.integers(0, 2))
def test_with_crashes_and_duplicates_nothing_is_lost(
    draw: st.DataObject, needs: list[tuple[str, ...]], crashes: int, duplicates: int
) -> None:
    made = world(needs, {"a": 1, "b": 2})
    play(made, draw, crashes=crashes, duplicates=duplicates)
    settle(made, draw)

    made.now_ms += VISIBLE_AGAIN_MS
    assert [slot for slots in made.slots_of.values() for slot in slots.values() if slot.is_live(made.now_ms)] == []
    assert made.left_over() == [] or crashes
    assert [waiter for line in made.line_of.values() for waiter in line.values()] == []


@_relaxed
@given(st.data(), st.integers(3, 6))
def test_who_stands_in_line_is_woken_in_order(draw: st.DataObject, runs: int) -> None:
    """All stand in line behind one that executes; then each is done before those behind it."""
    made = world([("a",)] * runs, ONE)
    first, *rest = made.queue
    made.deliver(first)
    while not made.holding:
        made.advance(made.running[0])
    for message in draw.draw(st.permutations(rest)):
        made.deliver(message)
        while len(made.running) > 1:
            made.advance(made.running[1])
    assert len(made.line_of[made.key("a")]) == runs - 1
    play(made, draw)

    assert made.entered == sorted(made.needs)
    # Nobody polls: one message for each.
    assert set(made.sent.values()) == {1}


@pytest.mark.parametrize("limit", [2, 5, 20])
def test_of_many_who_give_back_at_once_each_wakes_another(limit: int) -> None:
    """In step: each looks before any other has told what it saw."""
    made = world([("a",)] * (3 * limit), {"a": limit})
    for message in list(made.queue):
        made.deliver(message)
        while len(made.running) > len(made.holding):
            made.advance(made.running[-1])
    assert len(made.line_of[made.key("a")]) == 2 * limit

    while made.running:
        for delivery in list(made.running):
            made.advance(delivery)
        for message in made.visible():
            made.deliver(message)

    assert made.ended == set(made.needs)
    assert made.sent.total() == 2 * limit


def test_a_place_that_ran_out_wakes_the_next_one_though_its_message_never_comes_again() -> None:
    made = world([("a",)] * 2, ONE)
    lost, other = made.queue
    made.deliver(lost)
    while not made.holding:
        made.advance(made.running[0])
    made.crash(made.running[0])
    made.queue.remove(lost)
    made.deliver(other)
    while made.running:
        made.advance(made.running[0])
    assert made.visible() == []

    made.now_ms += 60_000
    made.sweep()
    assert made.visible() == []
    made.now_ms += VISIBLE_AGAIN_MS
    made.sweep()
    assert [message.run for message in made.visible()] == ["run-01"]


def test_who_dies_between_the_note_and_the_message_is_made_good_by_the_sweep() -> None:
    made = world([("a",)] * 2, ONE)
    first, second = list(made.queue)
    made.deliver(first)
    while not made.holding:
        made.advance(made.running[0])
    made.deliver(second)
    while len(made.running) > 1:
        made.advance(made.running[1])
    line = made.line_of[made.key("a")]
    while not any(waiter.woken_at_ms for waiter in line.values()):
        made.advance(made.running[0])
    made.crash(made.running[0])
    made.queue.remove(first)
    assert not made.sent

    made.now_ms += 30_000
    made.sweep()
    assert not made.sent
    made.now_ms += 30_000
    made.sweep()
    assert [message.run for message in made.visible()] == ["run-01"]


def test_the_second_look_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the simulation finds when somebody stands in line and does not look again."""
    kept = concurrency.Places._stand

    def blind(self: concurrency.Places, claim: object) -> bool:
        before, self._free_index = self._free_index, lambda *_: None  # type: ignore[method-assign]
        try:
            return kept(self, claim)  # type: ignore[arg-type]
        finally:
            self._free_index = before  # type: ignore[method-assign]

    monkeypatch.setattr(concurrency.Places, "_stand", blind)
    made = world([("a",)] * 2, ONE)
    first, second = list(made.queue)
    made.deliver(first)
    while not made.holding:
        made.advance(made.running[0])
    made.deliver(second)
    for _ in range(3):
        made.advance(made.running[1])
    while first in made.queue:
        made.advance(made.running[0])
    while made.running:
        made.advance(made.running[0])

    assert made.ended == {"run-00"}
    assert made.visible() == []
