"""engine.join_ports.Joins."""

from __future__ import annotations

import uuid
from collections import Counter

from chalicelib.aws import keys
from chalicelib.core.joining import Closed, Generation, Joined, JoinKind
from chalicelib.engine.flow_ports import Cell, CellKey, Mechanism
from tests.contract import build
from tests.contract.conftest import NOW_MS, STAMP_S, World
from tests.contract.test_races import RACERS, ROUNDS, race

EXPIRES_S = STAMP_S - 7


def key() -> CellKey:
    return CellKey(Mechanism.BATCH, "f", uuid.uuid4().hex)


def joined(run_id: str, **fields: object) -> Joined:
    return Joined.model_validate({"run_id": run_id, "at_ms": NOW_MS, "due_ms": NOW_MS + 5_000} | fields)


def closed(run_id: str) -> Closed:
    generation = Generation(run_id=run_id, first_ms=NOW_MS, due_ms=NOW_MS + 5_000, events=("a", "b"), count=2)
    return Closed(kind=JoinKind.BATCH, fn_id="f", generation=generation)


def join(
    world: World, of: CellKey, event_id: str, what: Joined, text: str, seen: Cell | None, *also: Closed
) -> Joined | Cell | None:
    return world.room.joins.join(of, event_id, what, text, seen=seen, closed=list(also), expires_at_s=EXPIRES_S)


def test_an_event_joins_what_is_as_it_was_seen(world: World) -> None:
    mine, event_id, run_id = key(), build.event(world).internal_id, world.new()
    assert world.room.joins.joined(event_id, "f") is None
    what = joined(run_id, opened=True, closed=(world.new(),), overtaken=world.new())

    assert join(world, mine, event_id, what, "first", None) is what

    assert world.room.joins.joined(event_id, "f") == what
    assert world.room.joins.joined(event_id, "g") is None
    assert world.room.cells.get(mine) == Cell("first", 1)
    cell = world.item(world.config.table_limits, *keys.cell(mine))
    marker = world.item(world.config.table_events, *keys.joined(event_id, "f"))
    assert cell is not None
    assert marker is not None
    assert (cell["expires_at"], marker["expires_at"]) == (str(EXPIRES_S), str(STAMP_S))


def test_it_joins_once_and_is_told_what(world: World) -> None:
    mine, event_id = key(), build.event(world).internal_id
    first = joined(world.new(), opened=True)
    join(world, mine, event_id, first, "first", None)

    # Whatever it sees by then, and whatever it would do.
    for seen in (None, Cell("first", 1), Cell("other", 7)):
        again = joined(world.new())
        told = join(world, mine, event_id, again, "second", seen, closed(again.run_id))
        assert told == first
        assert told is not again
        assert world.room.joins.closed(again.run_id) is None
    assert world.room.cells.get(mine) == Cell("first", 1)


def test_who_saw_what_is_no_more_does_nothing_and_is_told_what_is(world: World) -> None:
    mine = key()
    join(world, mine, build.event(world).internal_id, joined(world.new()), "first", None)
    late, run_id = build.event(world).internal_id, world.new()

    for seen in (None, Cell("before", 7)):
        assert join(world, mine, late, joined(run_id), "second", seen, closed(run_id)) == Cell("first", 1)
    assert join(world, key(), late, joined(run_id), "second", Cell("gone", 3)) is None

    assert world.room.joins.joined(late, "f") is None
    assert world.room.joins.closed(run_id) is None


def test_what_is_closed_with_it_lies_there_until_it_is_removed(world: World) -> None:
    joins, one, other = world.room.joins, closed(world.new()), closed(world.new())
    join(world, key(), build.event(world).internal_id, joined(world.new()), "", None, one, other)

    for each in (one, other):
        assert joins.closed(each.generation.run_id) == each
    joins.remove(one.generation.run_id)
    joins.remove(one.generation.run_id)

    assert joins.closed(one.generation.run_id) is None
    assert joins.closed(other.generation.run_id) == other


def test_one_is_closed_if_nobody_has_joined_meanwhile(world: World) -> None:
    joins, mine, what = world.room.joins, key(), closed(world.new())
    join(world, mine, build.event(world).internal_id, joined(world.new()), "first", None)

    assert joins.close(mine, "", what, seen=Cell("before", 4), expires_at_s=EXPIRES_S) == Cell("first", 1)
    assert joins.close(key(), "", what, seen=Cell("before", 4), expires_at_s=EXPIRES_S) is None
    assert joins.closed(what.generation.run_id) is None

    assert joins.close(mine, "", what, seen=Cell("first", 1), expires_at_s=EXPIRES_S) is what
    assert world.room.cells.get(mine) == Cell("", 2)
    assert joins.closed(what.generation.run_id) == what
    assert joins.close(mine, "", what, seen=Cell("first", 1), expires_at_s=EXPIRES_S) == Cell("", 2)


def test_of_many_at_once_each_joins_upon_another_and_one_closes(ministack: World) -> None:
    for _ in range(ROUNDS):
        mine = key()
        events = [build.event(ministack).internal_id for _ in range(RACERS)]

        def come(number: int, mine: CellKey = mine, events: list[str] = events) -> str:
            seen: Cell | None = None
            while True:
                text = f"{'' if seen is None else seen.text}{number}"
                stored = join(ministack, mine, events[number], joined(ministack.new()), text, seen)
                if isinstance(stored, Joined):
                    return text
                seen = stored

        got = race(come)
        assert sorted(len(text) for text in got) == list(range(1, RACERS + 1))
        there = ministack.room.cells.get(mine)
        assert there is not None
        assert sorted(there.text) == sorted(map(str, range(RACERS)))

        def end(_: int, mine: CellKey = mine, there: Cell = there) -> bool:
            what = closed(ministack.new())
            return ministack.room.joins.close(mine, "", what, seen=there, expires_at_s=EXPIRES_S) is what

        assert Counter(race(end)) == {True: 1, False: RACERS - 1}


def test_a_run_keeps_all_its_events(world: World) -> None:
    for size in (1, 40_000):
        seed = build.seed(world)
        events = [build.event(world, data={"text": "ä" * size, "n": n}) for n in range(3)]
        world.room.runs.create(seed, events[0], (), rest=events[1:])

        run = world.room.runs.load(seed.run_id)
        assert run is not None
        assert run.events == tuple(events)
        assert world.room.runs.trigger_events(seed.run_id) == tuple(events)
        assert world.room.runs.trigger_event(seed.run_id) == events[0]
    assert world.room.runs.trigger_events(world.new()) == ()
