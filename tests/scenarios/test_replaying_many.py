"""All runs of a time that ended in one way are replayed, page by page."""

from __future__ import annotations

from datetime import datetime

import pytest

from chalicelib.core.bulk import Place
from chalicelib.core.clock import from_datetime
from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.messages import ReplayMessage
from chalicelib.core.replays import InvalidReplay, ReplayState
from chalicelib.core.runs import RunStatus
from chalicelib.engine import replays_of_many
from chalicelib.engine.services import Delivery
from chalicelib.sdk import Context, NonRetriableError, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell

BROKEN: list[bool] = []


@pytest.fixture(autouse=True)
def _broken() -> None:
    BROKEN[:] = [True]


@function(fn_id="remind", trigger=TriggerEvent(event="cart.left"))
def remind(ctx: Context) -> object:
    if BROKEN[0] and not ctx.event.data.get("fine"):
        raise NonRetriableError("the mail server is down")
    return ctx.event.data["n"]


def carts(kit: Stepwell, *numbers: int, fine: bool = False) -> None:
    kit.send([{"name": "cart.left", "data": {"n": number, "fine": fine}} for number in numbers])


def replay(
    kit: Stepwell,
    status: RunStatus = RunStatus.FAILED,
    after: datetime | None = None,
    before: datetime | None = None,
) -> ReplayState:
    state = replays_of_many.create(
        kit.platform.services,
        "remind",
        status=status,
        after_ms=None if after is None else from_datetime(after),
        before_ms=None if before is None else from_datetime(before),
    )
    kit.drain()
    return state


def stands(kit: Stepwell, state: ReplayState) -> tuple[str, int, int]:
    found = replays_of_many.find(kit.platform.services, state.job.id).wire()
    assert found["errors"] == 0
    return found["status"], found["looked_at"], found["replayed"]


def outputs(kit: Stepwell) -> list[object]:
    return sorted(run.output for run in kit.runs() if run.status == "Completed")


def test_failed_runs_and_no_others() -> None:
    with start_stepwell([remind], MATCH_PAGE="2") as kit:
        carts(kit, 1, 2, 3, 4, 5)
        carts(kit, 6, fine=True)
        BROKEN[:] = [False]
        kit.advance("1h")

        state = replay(kit)

        assert outputs(kit) == [1, 2, 3, 4, 5, 6]
        assert len(kit.runs()) == 11
        kit.advance("2m")
        assert stands(kit, state) == ("Completed", 6, 5)
        assert len(kit.runs()) == 11


def test_what_fails_again_is_not_replayed_by_the_same_replay() -> None:
    with start_stepwell([remind]) as kit:
        carts(kit, 1, 2)
        kit.advance("1s")

        state = replay(kit)
        kit.advance("5m")

        assert [run.status for run in kit.runs()] == ["Failed"] * 4
        assert stands(kit, state) == ("Completed", 2, 2)


def test_fresh_runs_are_counted_once() -> None:
    with start_stepwell([remind]) as kit:
        carts(kit, 1, 2, 3)
        BROKEN[:] = [False]
        kit.advance("10s")

        state = replay(kit)

        assert stands(kit, state) == ("Running", 0, 0)
        assert outputs(kit) == [1, 2, 3]
        kit.advance("2m")
        assert stands(kit, state) == ("Completed", 3, 3)
        assert len(kit.runs()) == 6


def test_only_runs_of_the_time_that_is_named() -> None:
    with start_stepwell([remind]) as kit:
        times = []
        for number in range(4):
            times.append(kit.now)
            carts(kit, number)
            kit.advance("1h")
        BROKEN[:] = [False]

        state = replay(kit, after=times[1], before=times[3])

        assert outputs(kit) == [1, 2]
        assert stands(kit, state) == ("Completed", 2, 2)


def test_completed_runs_where_that_is_asked_for() -> None:
    with start_stepwell([remind]) as kit:
        carts(kit, 1)
        carts(kit, 2, fine=True)
        kit.advance("1h")

        replay(kit, RunStatus.COMPLETED)

        assert outputs(kit) == [2, 2]


def test_a_page_that_comes_again_replays_nothing_twice() -> None:
    with start_stepwell([remind], MATCH_PAGE="2") as kit:
        carts(kit, 1, 2, 3, 4, 5)
        BROKEN[:] = [False]
        kit.advance("1h")
        s = kit.platform.services
        state = replays_of_many.create(s, "remind", status=RunStatus.FAILED, after_ms=None, before_ms=None)

        for receives in (1, 2, 3):
            delivery = Delivery("m", f"nonce-{receives}", receives, s.clock.now_ms() + 60_000)
            replays_of_many.go_on(s, ReplayMessage(replay=state.job, place=Place()), delivery)
        kit.drain()

        assert outputs(kit) == [1, 2, 3, 4, 5]
        kit.advance("2m")
        assert stands(kit, state) == ("Completed", 5, 5)


def test_one_that_is_stopped_goes_no_further() -> None:
    with start_stepwell([remind], MATCH_PAGE="2") as kit:
        carts(kit, 1, 2, 3, 4, 5)
        BROKEN[:] = [False]
        kit.advance("1h")
        s = kit.platform.services
        state = replays_of_many.create(s, "remind", status=RunStatus.FAILED, after_ms=None, before_ms=None)
        kit.pump.lose("events", kit.pump.hold("events"))
        replays_of_many.go_on(s, ReplayMessage(replay=state.job), Delivery("m", "n", 1, s.clock.now_ms() + 60_000))

        assert replays_of_many.stop(s, state.job.id).wire()["status"] == "Stopped"
        kit.drain()

        assert len(outputs(kit)) == 2
        assert stands(kit, state) == ("Stopped", 2, 2)


def test_each_timeline_tells_of_it() -> None:
    with start_stepwell([remind]) as kit:
        carts(kit, 1)
        original = kit.only_run()
        kit.advance("1s")
        BROKEN[:] = [False]
        replay(kit)

        assert kit.runs()[1].timeline[0]["original_run_id"] == original.run_id


def test_what_is_refused() -> None:
    with start_stepwell([remind]) as kit:
        carts(kit, 1)
        s, now = kit.platform.services, kit.platform.clock.now_ms()
        with pytest.raises(NotFound, match="there is no function 'nothing'"):
            replays_of_many.create(s, "nothing", status=RunStatus.FAILED, after_ms=None, before_ms=None)
        with pytest.raises(InvalidReplay, match="before must not lie in the future"):
            replays_of_many.create(s, "remind", status=RunStatus.FAILED, after_ms=None, before_ms=now + 1)
        with pytest.raises(InvalidReplay, match="after must lie before"):
            replays_of_many.create(s, "remind", status=RunStatus.FAILED, after_ms=now, before_ms=now)
        fn_id = "endpoint.3.shop-example.get-checkout.1a2b3c4d"
        with pytest.raises(Conflict, match="an app began"):
            replays_of_many.create(s, fn_id, status=RunStatus.FAILED, after_ms=None, before_ms=None)
