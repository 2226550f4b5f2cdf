"""engine.operator_ports.Looking, on both emulators."""

from __future__ import annotations

import pytest

from chalicelib.aws import looking
from chalicelib.core.pauses import Pause, PauseKind
from chalicelib.core.runs import RunStatus
from chalicelib.core.steps import PauseKey
from tests.contract import build
from tests.contract.conftest import NOW_MS, World


def waits(world: World, name: str, count: int) -> list[Pause]:
    """Rows of one index key, as many as there are runs."""
    found = []
    for _ in range(count):
        seed = build.seed(world)
        pause = build.pause(world, seed.run_id, event_name=name)
        world.room.runs.create(seed, build.event(world), [pause])
        found.append(pause)
    return found


def search(world: World, name: str) -> list[Pause]:
    found: list[Pause] = []
    after: PauseKey | None = None
    while True:
        some, after = world.room.looking.waiting_for(name, after)
        found += some
        if after is None:
            return found


@pytest.mark.parametrize("part", [3, 5_000])
def test_rows_are_found_by_their_events_name(world: World, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    monkeypatch.setattr(looking, "_PAGE_ITEMS", part)
    for name in (world.name(), world.name() + "/ü 'x' \\ \"y\" 🙂"):
        wanted = waits(world, name, 5)
        waits(world, name + "x", 2)
        assert sorted(map(str, search(world, name))) == sorted(map(str, wanted))


def test_rows_and_steps_are_read_together_and_the_missing_left_out(world: World) -> None:
    wanted = waits(world, world.name(), 2)
    gone = PauseKey(key="gone", row="gone#0")
    assert world.room.looking.pauses([wanted[1].key, gone, wanted[0].key]) == [wanted[1], wanted[0]]
    assert world.room.looking.pauses([]) == []
    step = world.room.runs.put_step(wanted[0].run_id, build.completed())
    ids = [(wanted[0].run_id, step.id), (wanted[0].run_id, "gone"), (wanted[1].run_id, step.id)]
    assert list(world.room.looking.steps(ids)) == ids[:1]
    assert world.room.looking.steps(ids)[ids[0]].plan == step.plan


def test_a_sample_counts_runs_as_they_stand(world: World) -> None:
    before = world.room.looking.sample_runs(50)
    runs = [build.run(world) for _ in range(3)]
    world.room.runs.take_lease(runs[1], build.owner(), until_ms=NOW_MS + 1, now_ms=NOW_MS)
    world.room.runs.end(runs[2], build.ending(RunStatus.FAILED), owner=None)
    world.room.runs.mark_stalled(runs[0], "x")

    after = world.room.looking.sample_runs(50)
    assert (after.is_complete, after.total) == (True, after.looked_at)
    assert after.looked_at == before.looked_at + 6
    assert after.stalled == before.stalled + 1
    for status in (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.FAILED):
        assert after.by_status.get(status, 0) == before.by_status.get(status, 0) + 1


def test_a_sample_of_pauses_says_how_much_it_saw(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    name = world.name()
    waits(world, name, 4)
    whole = world.room.looking.sample_pauses(50)
    assert whole.is_complete
    assert [row.kind for row in whole.rows if row.event_name == name] == [PauseKind.WAIT] * 4

    monkeypatch.setattr(looking, "_PAGE_ITEMS", 1)
    part = world.room.looking.sample_pauses(2)
    assert (part.looked_at, part.is_complete) == (2, False)
    assert part.total == whole.looked_at
