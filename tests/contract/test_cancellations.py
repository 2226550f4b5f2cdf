"""Bulk cancellations in the runs table, and what they ask of runs."""

from __future__ import annotations

from chalicelib.core.bulk import Place, Standing
from chalicelib.core.cancellations import Cancellation, Progress
from chalicelib.core.runs import Ending, RunStatus
from chalicelib.core.steps import Cause, CauseKind
from tests.contract.build import ERROR, LARGE, event, run, seed
from tests.contract.conftest import NOW_MS, World

NEXT = Place(position="000000000000017#X")


def cancellation(world: World) -> Cancellation:
    return Cancellation(id=world.new(), fn_id="fn", created_at_ms=NOW_MS, started_before_ms=NOW_MS - 1)


def test_put_if_absent(world: World) -> None:
    one = cancellation(world)
    adapter = world.room.cancellations

    assert adapter.put(one).progress == Progress()
    assert adapter.advance(one.id, was=Place(), now=Progress(place=NEXT, cancelled=2), nonce="a")
    again = adapter.put(one)

    assert (again.job, again.progress) == (one, Progress(place=NEXT, cancelled=2))
    assert adapter.get(one.id) == again
    assert adapter.get(world.new()) is None


def test_a_page_is_written_down_once(world: World) -> None:
    one = cancellation(world)
    adapter = world.room.cancellations
    adapter.put(one)
    now = Progress(place=NEXT, looked_at=3)

    assert adapter.advance(one.id, was=Place(), now=now, nonce="a")
    assert adapter.advance(one.id, was=Place(), now=now, nonce="a")  # Its first answer was lost.
    assert not adapter.advance(one.id, was=Place(), now=now, nonce="b")
    assert not adapter.advance(one.id, was=Place(look=2), now=now, nonce="b")
    assert adapter.advance(one.id, was=NEXT, now=Progress(place=None), nonce="b")
    found = adapter.get(one.id)
    assert found is not None
    assert found.is_over


def test_one_that_is_stopped_goes_no_further(world: World) -> None:
    one = cancellation(world)
    adapter = world.room.cancellations
    adapter.put(one)

    stopped = adapter.stop(one.id, NOW_MS + 5)
    assert stopped is not None
    assert (stopped.is_over, stopped.stopped_at_ms) == (True, NOW_MS + 5)
    assert adapter.stop(one.id, NOW_MS + 6) == stopped
    assert not adapter.advance(one.id, was=Place(), now=Progress(place=NEXT), nonce="a")
    assert adapter.stop(world.new(), NOW_MS) is None


def test_what_is_over_is_not_stopped(world: World) -> None:
    one = cancellation(world)
    adapter = world.room.cancellations
    adapter.put(one)
    adapter.advance(one.id, was=Place(), now=Progress(place=None, ended_at_ms=NOW_MS), nonce="a")

    found = adapter.stop(one.id, NOW_MS + 6)
    assert found is not None
    assert found.stopped_at_ms is None


def test_newest_first(world: World) -> None:
    made = sorted(cancellation(world).id for _ in range(5))
    for one in made:
        world.room.cancellations.put(
            Cancellation(id=one, fn_id="fn", created_at_ms=NOW_MS, started_before_ms=NOW_MS - 1)
        )

    def page(before: str | None) -> list[str]:
        return [state.job.id for state in world.room.cancellations.page(before=before, limit=3)]

    assert page(None) == sorted(page(None), reverse=True)
    assert page(made[3]) == made[2::-1]


def test_how_runs_stand(world: World) -> None:
    runs = world.room.runs
    is_open, completed, cancelled, large = (run(world) for _ in range(4))
    cause = Cause(kind=CauseKind.API, id="a-cancellation", name="bulk cancellation")
    runs.end(completed, Ending(status=RunStatus.COMPLETED, ended_at_ms=NOW_MS, output=1), owner=None)
    runs.end(
        cancelled,
        Ending(status=RunStatus.CANCELLED, ended_at_ms=NOW_MS, error=ERROR, cause=cause),
        owner=None,
    )
    runs.end(large, Ending(status=RunStatus.COMPLETED, ended_at_ms=NOW_MS, output=LARGE), owner=None)
    runs.mark_settled(completed, NOW_MS // 1000)

    found = {
        row.run_id: row
        for row in world.room.cancellations.standings([is_open, completed, cancelled, large, world.new()])
    }

    assert found == {
        is_open: Standing(is_open, is_open=True),
        completed: Standing(completed, is_open=False, is_settled=True, status=RunStatus.COMPLETED),
        cancelled: Standing(cancelled, is_open=False, cancelled_by="a-cancellation", status=RunStatus.CANCELLED),
        large: Standing(large, is_open=False, status=RunStatus.COMPLETED),
    }


def test_the_event_of_a_run(world: World) -> None:
    for data in ({"n": 1}, {"text": LARGE}):
        new = seed(world)
        started_by = event(world, new.event_name, data=data)
        world.room.runs.create(new, started_by, ())

        assert world.room.runs.trigger_event(new.run_id) == started_by
    assert world.room.runs.trigger_event(world.new()) is None
