"""Whoever writes first is told so: what happened is counted once (engine/metrics.py)."""

from __future__ import annotations

from chalicelib.core.records import EventTimes
from chalicelib.core.runs import Owner
from tests.contract import build
from tests.contract.build import STEP
from tests.contract.conftest import NOW_MS, World

ME = build.owner()
TIMES = EventTimes(recorded_ms=NOW_MS + 3, matched_ms=NOW_MS + 9)


def test_of_two_equal_records_of_an_event_one_is_the_first(world: World) -> None:
    event = build.event(world)
    ours, theirs = build.record(event), build.record(event)

    assert world.room.events.put(ours) is ours
    assert world.room.events.put(theirs) is not theirs


def test_of_two_creations_of_a_run_one_is_the_first(world: World) -> None:
    ours = build.seed(world)
    theirs, event = ours.model_copy(), build.event(world)

    assert world.room.runs.create(ours, event, ()).seed is ours
    assert world.room.runs.create(theirs, event, ()).seed is not theirs
    with_pause, again = build.seed(world), None
    pauses = [build.pause(world, with_pause.run_id)]
    assert world.room.runs.create(with_pause, event, pauses).seed is with_pause
    again = with_pause.model_copy()
    assert world.room.runs.create(again, event, pauses).seed is not again


def test_of_two_equal_results_of_a_step_one_is_the_first(world: World) -> None:
    run_id = build.run(world)
    ours, theirs = build.completed(), build.completed()

    assert world.room.runs.put_step(run_id, ours) is ours
    assert world.room.runs.put_step(run_id, theirs) is not theirs


def test_of_two_records_of_an_attempt_one_is_the_first(world: World) -> None:
    run_id = build.run(world)

    assert world.room.runs.put_retry(run_id, build.retrying(1))
    assert not world.room.runs.put_retry(run_id, build.retrying(1))
    assert world.room.runs.put_retry(run_id, build.retrying(2))


def test_of_two_registrations_of_a_wait_one_is_the_first(world: World) -> None:
    run_id = build.run(world, leased=ME)
    ours, theirs = build.waiting(), build.waiting()

    assert world.room.runs.register(run_id, ME, ours, (), NOW_MS) is ours
    assert world.room.runs.register(run_id, ME, theirs, (), NOW_MS) is not theirs


def test_of_two_equal_outcomes_of_a_wait_one_is_the_first(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.register(run_id, ME, build.waiting(), (), NOW_MS)
    ours, theirs = build.outcome(), build.outcome()

    assert world.room.runs.complete(run_id, STEP, ours).outcome is ours
    assert world.room.runs.complete(run_id, STEP, theirs).outcome is not theirs


def test_of_two_endings_of_a_run_one_is_the_first(world: World) -> None:
    run_id = build.run(world, leased=ME)
    ours, theirs = build.ending(), build.ending(output="another")

    first = world.room.runs.end(run_id, ours, owner=ME)
    second = world.room.runs.end(run_id, theirs, owner=Owner(message_id="m2", nonce="n2"))

    assert first is not None
    assert second is not None
    assert first.ending is ours
    assert second.ending == ours != theirs


def test_the_times_of_an_event_are_kept_with_the_run_that_it_starts(world: World) -> None:
    seed, event = build.seed(world), build.event(world)
    world.room.runs.create(seed, event, (), TIMES)
    world.room.runs.create(seed, event, (), TIMES.model_copy(update={"matched_ms": 1}))

    assert world.room.runs.event_times(seed.run_id) == TIMES
    assert world.room.runs.event_times(build.run(world)) is None
    assert world.room.runs.event_times(world.new()) is None


def test_the_times_of_an_event_that_starts_nothing_are_kept_by_themselves(world: World) -> None:
    event = build.event(world)
    world.room.events.put(build.record(event))
    assert world.room.events.times(event.internal_id) is None

    world.room.events.put_times(event.internal_id, TIMES)
    world.room.events.put_times(event.internal_id, TIMES.model_copy(update={"matched_ms": 1}))

    assert world.room.events.times(event.internal_id) == TIMES
    assert build.effects(world, event.internal_id) == []
