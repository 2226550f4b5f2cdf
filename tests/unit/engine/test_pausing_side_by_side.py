"""A function is paused and resumed while its runs come, under any schedule, with deaths and duplicates: nothing is
lost, and nothing begins of what was known to be paused."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.engine import concurrency, lines, pausing
from tests.unit.engine.lines_world import LinesWorld
from tests.unit.engine.test_lines_side_by_side import _relaxed, play, settle, world

PAUSE = partial(pausing.pause, mode="queue")


def resume_until_it_is(made: LinesWorld, draw: st.DataObject) -> None:
    """A client that got no answer asks again."""
    made.ask(pausing.resume)
    play(made, draw)
    assert not made.there.paused


@_relaxed
@given(st.data(), st.integers(1, 4), st.integers(1, 4))
def test_without_a_fault_a_resume_wakes_all_without_the_clock(draw: st.DataObject, runs: int, page: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pausing, "_PAGE", page)
        made = world([()] * runs, {"a": 1})
        # At any moment between what the runs do.
        made.ask(PAUSE)
        play(made, draw)
        assert made.there.paused
        resume_until_it_is(made, draw)

        assert made.ended == set(made.needs)
        assert made.left_over() == []


@_relaxed
@given(st.data(), st.lists(st.sampled_from([(), ("a",)]), min_size=1, max_size=3))
def test_paused_and_resumed_side_by_side(draw: st.DataObject, needs: list[tuple[str, ...]]) -> None:
    made = world(needs, {"a": 1})
    for is_pause in draw.draw(st.lists(st.booleans(), max_size=4)):
        made.ask(PAUSE if is_pause else pausing.resume)
    play(made, draw)
    resume_until_it_is(made, draw)

    assert made.ended == set(made.needs), made.left_over()
    assert made.left_over() == []


@_relaxed
@given(st.data(), st.integers(1, 3), st.integers(1, 2), st.integers(0, 2))
def test_with_crashes_and_duplicates_nothing_is_lost(
    draw: st.DataObject, runs: int, crashes: int, duplicates: int
) -> None:
    made = world([()] * runs, {"a": 1})
    made.ask(PAUSE)
    made.ask(pausing.resume)
    play(made, draw, crashes=crashes, duplicates=duplicates)
    made.ask(pausing.resume)
    play(made, draw)
    settle(made, draw)

    assert made.ended == set(made.needs)
    assert [waiter for line in made.line_of.values() for waiter in line.values()] == []


def test_what_waits_is_woken_in_order() -> None:
    made = world([()] * 3, {"a": 1})
    made.ask(PAUSE)
    go_on(made)
    for message in reversed(made.visible()):
        made.deliver(message)
        go_on(made)
    assert made.visible() == []

    made.ask(pausing.resume)
    go_on(made)
    (resume,) = made.visible()
    made.deliver(resume)
    go_on(made)
    assert [message.run for message in made.visible()] == sorted(made.needs)


def go_on(made: LinesWorld) -> None:
    while made.running:
        made.advance(made.running[0])


def test_the_look_after_the_stand_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the simulation finds when somebody stands in line and does not look again."""
    blind = SimpleNamespace(
        is_held=lambda s, fn_id, anew=False: anew or lines.is_held(s, fn_id), wake=lines.wake, wake_page=lines.wake_page
    )
    monkeypatch.setattr(concurrency, "lines", blind)
    made = world([()], {"a": 1})
    (message,) = made.queue
    made.ask(PAUSE)
    go_on(made)
    made.deliver(message)
    # It knows the pause, and is about to take its stand; the whole resume comes before that.
    for _ in range(2):
        made.advance(made.running[0])
    assert not made.line_of
    made.ask(pausing.resume)
    while len(made.running) > 1:
        made.advance(made.running[1])
    made.deliver(next(one for one in made.queue if one.resume is not None))
    while len(made.running) > 1:
        made.advance(made.running[1])
    go_on(made)

    assert made.ended == set()
    assert made.visible() == []
