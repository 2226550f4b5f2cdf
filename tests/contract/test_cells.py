"""engine.flow_ports.Cells."""

from __future__ import annotations

import uuid

from chalicelib.aws import keys
from chalicelib.engine.flow_ports import Cell, CellKey, Mechanism
from tests.contract.conftest import STAMP_S, World
from tests.contract.test_races import RACERS, ROUNDS, race


def key(**other: str) -> CellKey:
    return CellKey(Mechanism.IDEMPOTENCY, other.get("fn_id", "f"), other.get("digest", uuid.uuid4().hex))


def test_a_cell_is_written_if_it_is_the_one_that_was_seen(world: World) -> None:
    cells, mine = world.room.cells, key()
    assert cells.get(mine) is None

    first = cells.put(mine, "a", seen=None, expires_at_s=STAMP_S)
    second = cells.put(mine, "b", seen=first, expires_at_s=STAMP_S)

    assert (first, second) == (Cell("a", 1), Cell("b", 2))
    assert cells.get(mine) == second
    for seen in (None, first):
        assert cells.put(mine, "c", seen=seen, expires_at_s=STAMP_S) == second
    assert cells.get(mine) == second


def test_one_that_is_gone_is_told_as_such(world: World) -> None:
    assert world.room.cells.put(key(), "a", seen=Cell("before", 7), expires_at_s=STAMP_S) is None


def test_a_cell_is_removed_if_it_is_the_one_that_was_seen(world: World) -> None:
    cells, mine = world.room.cells, key()
    first = cells.put(mine, "a", seen=None, expires_at_s=STAMP_S)
    assert first is not None
    second = cells.put(mine, "b", seen=first, expires_at_s=STAMP_S)
    assert second is not None

    assert not cells.remove(mine, first)
    assert cells.get(mine) == second
    assert cells.remove(mine, second)
    assert cells.get(mine) is None
    # Its answer was lost.
    assert cells.remove(mine, second)


def test_one_that_was_made_anew_is_another(world: World) -> None:
    cells, mine = world.room.cells, key()
    before = cells.put(mine, "a", seen=None, expires_at_s=STAMP_S)
    assert before is not None
    cells.remove(mine, before)
    anew = cells.put(mine, "b", seen=None, expires_at_s=STAMP_S)

    assert anew == Cell("b", before.version)
    assert not cells.remove(mine, before)
    assert cells.put(mine, "c", seen=before, expires_at_s=STAMP_S) == anew


def test_it_says_until_when_it_is_of_use(world: World) -> None:
    mine = key()
    world.room.cells.put(mine, "a", seen=None, expires_at_s=STAMP_S)

    item = world.item(world.config.table_limits, *keys.cell(mine))

    assert item is not None
    assert item["expires_at"] == str(STAMP_S)


def test_functions_and_values_have_cells_of_their_own(world: World) -> None:
    cells = world.room.cells
    digest = uuid.uuid4().hex
    cells.put(key(digest=digest), "a", seen=None, expires_at_s=STAMP_S)

    assert cells.get(key(digest=digest, fn_id="g")) is None
    assert cells.get(key()) is None


def test_of_many_at_once_each_writes_upon_another(ministack: World) -> None:
    cells = ministack.room.cells
    for _ in range(ROUNDS):
        mine = key()

        def count_up(number: int, mine: CellKey = mine) -> str:
            seen: Cell | None = None
            while True:
                text = f"{0 if seen is None else int(seen.text.split()[0]) + 1} {number}"
                stored = cells.put(mine, text, seen=seen, expires_at_s=STAMP_S)
                if stored is not None and stored.text == text:
                    return text
                seen = stored

        got = race(count_up)

        assert sorted(int(text.split()[0]) for text in got) == list(range(RACERS))
        assert (cells.get(mine) or Cell("", 0)).version == RACERS
