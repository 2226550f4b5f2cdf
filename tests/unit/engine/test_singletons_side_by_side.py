"""A singleton under any schedule of deliveries, crashes, duplicates and lost messages: never two at once, and nobody
blocks it for good."""

from __future__ import annotations

from typing import Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.core import limits
from tests.unit.engine.holders_world import HoldersWorld, Message
from tests.unit.engine.lines_world import VISIBLE_AGAIN_MS

Mode = Literal["skip", "cancel"]
MODES = st.sampled_from(["skip", "cancel"])
_MOST_STEPS = 4_000
_relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def play(
    world: HoldersWorld,
    draw: st.DataObject,
    *,
    events: int = 0,
    crashes: int = 0,
    duplicates: int = 0,
    workers: int = 3,
) -> None:
    """Whatever can happen next, chosen freely, until the world is at rest without the clock."""
    for _ in range(_MOST_STEPS):
        choices: list[tuple[str, object]] = [("go on", delivery) for delivery in world.running]
        visible = world.visible()
        if len(world.running) < workers:
            choices += [("deliver", message) for message in visible[:4]]
        if events:
            choices.append(("accept", None))
        if not choices:
            return
        if crashes:
            choices += [("crash", delivery) for delivery in world.running]
        if duplicates:
            choices += [("duplicate", message) for message in visible[:2]]
        what, which = choices[draw.draw(st.integers(0, len(choices) - 1), label="next")]
        if what == "go on":
            world.advance(which)  # type: ignore[arg-type]
        elif what == "deliver":
            world.deliver(which)  # type: ignore[arg-type]
        elif what == "accept":
            world.accept()
            events -= 1
        elif what == "crash":
            world.crash(which)  # type: ignore[arg-type]
            crashes -= 1
        else:
            assert isinstance(which, Message)
            world.duplicate(which)
            duplicates -= 1
        world.now_ms += 1
        assert len(world.begun()) <= 1, world.begun()
        if world.mode == "skip":
            assert len(world.open()) <= 1, world.open()
    raise AssertionError("it goes round and round")


def finish(world: HoldersWorld, draw: st.DataObject) -> None:
    """What a crash kept from being acknowledged comes again."""
    for _ in range(10):
        world.now_ms += VISIBLE_AGAIN_MS
        play(world, draw)
        if not world.queue:
            return
    raise AssertionError("messages come again and again")


@_relaxed
@given(st.data(), MODES, st.integers(1, 2), st.integers(0, 2), st.integers(0, 2), st.integers(0, 2))
def test_never_two_at_once_and_all_comes_to_its_end(
    draw: st.DataObject, mode: Mode, at_once: int, events: int, crashes: int, duplicates: int
) -> None:
    world = HoldersWorld(mode)
    for _ in range(at_once):
        world.accept()
    play(world, draw, events=events, crashes=crashes, duplicates=duplicates)
    finish(world, draw)

    assert world.open() == []
    assert all(head.settled for head in world.heads.values())
    if mode == "skip":
        # Only who was skipped has no run, and of those who have one all completed.
        assert sorted(world.completed()) == sorted(
            record.starts[0].run_id for record in world.records.values() if record.starts[0].is_live
        )
        assert world.completed()
    else:
        # Whoever else was cancelled: nobody came after the last one.
        newest = max(world.heads.values(), key=lambda head: head.seed.trigger_received_at_us)
        assert newest.run_id in world.completed()
    last = world.accept()
    play(world, draw)
    assert last in world.completed()


@_relaxed
@given(st.data(), MODES, st.integers(0, 12))
def test_a_start_whose_message_is_lost_blocks_nobody_for_good(draw: st.DataObject, mode: Mode, calls: int) -> None:
    world = HoldersWorld(mode)
    lost = world.accept()
    world.deliver(world.queue[0])
    for _ in range(calls):
        if world.running:
            world.advance(world.running[0])
    if world.running:
        world.crash(world.running[0])
    if lost in world.heads:
        # Such a run is found by on_collect.
        finish(world, draw)
    world.queue.clear()
    world.now_ms += 2 * limits.HOUR_MS

    last = world.accept()
    play(world, draw)

    assert last in world.completed()
