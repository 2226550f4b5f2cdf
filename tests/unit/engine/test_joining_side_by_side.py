"""Whatever comes between: every event joins once, and every generation becomes one run of what joined it."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import pytest

from chalicelib.core import limits
from chalicelib.core.joining import Join, JoinKind
from tests.unit.engine.joins_world import JoinsWorld, play

DEBOUNCE = Join(kind=JoinKind.DEBOUNCE, digest="d", period_ms=10_000, longest_ms=25_000)
BATCH = Join(kind=JoinKind.BATCH, digest="d", period_ms=10_000, max_size=3)
SEEDS = 150


def generations(world: JoinsWorld) -> dict[str, list[str]]:
    """The events of each run, in the order in which they joined."""
    found: dict[str, list[str]] = defaultdict(list)
    for event_id, joined in world.joined.items():
        found[joined.run_id].append(event_id)
    return found


def nothing_is_left(world: JoinsWorld) -> None:
    assert world.joined.keys() == world.records.keys()
    assert world.closed == {}
    assert [cell.text for cell in world.cells.values()] == [""]
    assert generations(world).keys() == world.runs.keys()


@pytest.mark.parametrize("first", range(0, SEEDS, 30))
def test_a_debounce(first: int) -> None:
    for seed in range(first, first + 30):
        world = JoinsWorld(DEBOUNCE)
        play(world, seed, events=10, most_size=10)

        nothing_is_left(world)
        for run_id, members in generations(world).items():
            run = world.runs[run_id]
            newest = max(members, key=lambda each: (world.records[each].event.ts, each))
            assert run.events == (newest,), seed
            joins = [world.joined[each].at_ms for each in members]
            quiet, longest = joins[-1] + DEBOUNCE.period_ms, joins[0] + (DEBOUNCE.longest_ms or 0)
            assert run.seed.created_at_ms >= min(quiet, longest), seed
            # Nothing joins what is due.
            assert joins[-1] < longest, seed
            assert all(later < sooner + DEBOUNCE.period_ms for sooner, later in pairwise(joins))
            assert run.seed.gathered is not None
            assert run.seed.gathered.count == len(members)


@pytest.mark.parametrize("first", range(0, SEEDS, 30))
def test_a_batch(first: int) -> None:
    for seed in range(first, first + 30):
        world = JoinsWorld(BATCH)
        play(world, seed, events=12, most_size=10)

        nothing_is_left(world)
        for run_id, members in generations(world).items():
            run = world.runs[run_id]
            assert run.events == tuple(members), seed
            assert len(members) <= BATCH.max_size, seed
            joins = [world.joined[each].at_ms for each in members]
            assert joins[-1] < joins[0] + BATCH.period_ms, seed
            if len(members) < BATCH.max_size:
                assert run.seed.created_at_ms >= joins[0] + BATCH.period_ms, seed


def test_a_batch_of_large_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_BATCH_BYTES", 3_000)
    how = BATCH.model_copy(update={"max_size": 100})
    sizes: list[int] = []
    for seed in range(30):
        world = JoinsWorld(how)
        play(world, seed, events=12, most_size=2_000)

        nothing_is_left(world)
        for members in generations(world).values():
            sizes.append(sum(len(world.records[each].event.data["text"]) for each in members))
            assert sizes[-1] <= 3_000, seed
    assert max(sizes) > 2_000
