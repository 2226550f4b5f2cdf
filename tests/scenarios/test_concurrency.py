"""Concurrency: so many steps at once and no more, in order, and nobody is forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.runs import RunStatus
from chalicelib.sdk import Cancel, Concurrency, Context, Function, InvalidFunction, Priority, TriggerEvent, function
from chalicelib.testing.kit import Stepwell, start_stepwell

ON = TriggerEvent(event="t/go")
_inside: list[Any] = []
_kits: list[Stepwell] = []
_most: list[int] = []
_order: list[Any] = []


@pytest.fixture(autouse=True)
def _anew() -> None:
    for kept in (_inside, _kits, _most, _order):
        kept.clear()


def crowded(ctx: Context) -> str:
    """A step during which everything else happens that can happen."""
    number = ctx.event.data.get("n")
    _inside.append(number)
    _order.append(number)
    _most.append(len(_inside))
    _kits[0].drain()
    _inside.remove(number)
    return f"{number} done"


def limited(*concurrency: Concurrency, fn_id: str = "limited", **more: Any) -> Function[Any]:
    @function(fn_id=fn_id, trigger=ON, concurrency=list(concurrency), **more)
    def made(ctx: Context) -> Any:
        return ctx.step.run("crowded", crowded, ctx)

    return made


def kit_of(*functions: Function[Any]) -> Any:
    return start_stepwell(functions)


def go(kit: Stepwell, *data: dict[str, Any]) -> None:
    _kits[:] = [kit]
    kit.send([{"name": "t/go", "data": {"n": number, **one}} for number, one in enumerate(data)])


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_no_more_than_the_limit_at_once_and_in_order(limit: int) -> None:
    with kit_of(limited(Concurrency(limit=limit))) as kit:
        go(kit, *[{}] * 6)

        assert max(_most) == limit
        assert [run.output for run in kit.runs()] == [f"{number} done" for number in range(6)]
        assert _order == list(range(6))
        # Each is woken once: nobody polls.
        assert kit.pump.deliveries <= 1 + 6 + (6 - limit) + 1 + 6


def test_each_key_has_its_own_places() -> None:
    with kit_of(limited(Concurrency(limit=1, key="event.data.user"))) as kit:
        go(kit, {"user": "a"}, {"user": "a"}, {"user": "b"}, {"user": "c"})

        assert max(_most) == 3
        assert _order == [0, 2, 3, 1]


def test_functions_share_a_limit_of_the_environment() -> None:
    shared = Concurrency(limit=1, key="'database'", scope="env")
    with kit_of(limited(shared, fn_id="one"), limited(shared, fn_id="two")) as kit:
        go(kit, {}, {})

        assert max(_most) == 1
        assert [run.status for run in kit.runs()] == [RunStatus.COMPLETED] * 4


def test_two_limits_hold_both() -> None:
    with kit_of(limited(Concurrency(limit=2), Concurrency(limit=1, key="event.data.user"))) as kit:
        go(kit, {"user": "a"}, {"user": "a"}, {"user": "b"}, {"user": "c"}, {"user": "b"})

        assert max(_most) == 2
        assert sorted(_order) == [0, 1, 2, 3, 4]
        assert [run.status for run in kit.runs()] == [RunStatus.COMPLETED] * 5


def test_priority_comes_before_age() -> None:
    with kit_of(limited(Concurrency(limit=1), priority=Priority(run="event.data.ahead"))) as kit:
        go(kit, {}, {"ahead": -60}, {}, {"ahead": 60})

        assert _order == [0, 3, 2, 1]


def test_a_run_that_sleeps_or_waits_holds_no_place() -> None:
    @function(fn_id="sleeper", trigger=ON, concurrency=1)
    def sleeper(ctx: Context) -> str:
        ctx.step.sleep("nap", "1h")
        found = ctx.step.wait_for_event("wait", event="t/answer", timeout="1d")
        return "none" if found is None else "met"

    with kit_of(sleeper) as kit:
        go(kit, *[{}] * 3)
        assert [run.status for run in kit.runs()] == [RunStatus.RUNNING] * 3
        kit.advance("61m")
        kit.send("t/answer")

        assert [run.output for run in kit.runs()] == ["met"] * 3


def test_steps_side_by_side_share_the_places() -> None:
    @function(fn_id="parallel", trigger=ON, concurrency=2)
    def parallel(ctx: Context) -> list[Any]:
        one = [lambda n=n: ctx.step.run(f"step-{n}", crowded, ctx) for n in range(5)]
        return list(ctx.group.parallel(tuple(one)))

    with kit_of(parallel) as kit:
        go(kit, {})

        assert max(_most) == 2
        assert kit.only_run().output == ["0 done"] * 5


def test_a_run_is_queued_until_it_has_a_place() -> None:
    seen = []

    @function(fn_id="one", trigger=ON, concurrency=1)
    def one(ctx: Context) -> None:
        def look() -> None:
            _kits[0].drain()
            seen.append([run.status for run in _kits[0].runs()])

        ctx.step.run("look", look)

    with kit_of(one) as kit:
        go(kit, {}, {})

        assert seen[0] == [RunStatus.RUNNING, RunStatus.QUEUED]
        assert [run.history[:2] for run in kit.runs()] == [["run.created", "run.started"]] * 2


def test_a_run_that_is_cancelled_in_line_lets_those_behind_it_pass() -> None:
    cancelled: list[bool] = []

    @function(fn_id="one", trigger=ON, concurrency=1, cancel=[Cancel("t/stop", if_exp="async.data.n == event.data.n")])
    def one(ctx: Context) -> None:
        def others() -> None:
            _order.append(ctx.event.data["n"])
            _kits[0].drain()
            if not cancelled:
                cancelled.append(True)
                _kits[0].send("t/stop", {"n": 1})

        ctx.step.run("others", others)

    with kit_of(one) as kit:
        go(kit, {}, {}, {})

        assert _order == [0, 2]
        assert [run.status for run in kit.runs()] == [RunStatus.COMPLETED, RunStatus.CANCELLED, RunStatus.COMPLETED]


def test_a_key_that_cannot_be_evaluated_is_told_and_the_run_proceeds() -> None:
    with kit_of(limited(Concurrency(limit=1, key="event.data.user + 1"))) as kit:
        go(kit, {"user": "a"}, {"user": "b"})

        assert max(_most) == 1
        audit = [kit.event(event["internal_id"])["notes"] for event in kit.events("t/go")]
        for run in kit.runs():
            assert run.status is RunStatus.COMPLETED
            (warning,) = run.warnings
            assert warning.startswith("concurrency.key could not be evaluated: ")
            assert [{"function_id": "limited", "note": warning}] in audit
        assert kit.counts["ExpressionErrors"] == 2


def test_a_limit_that_is_taken_away_lets_all_go() -> None:
    with kit_of(limited(Concurrency(limit=1))) as kit:
        _kits[:] = [kit]
        kit.send_only([{"name": "t/go", "data": {"n": number}} for number in range(4)])
        kit.pump.deliver_event()
        held = kit.pump.hold("work", 1)
        kit.pump.lose("work", held)
        _stand_behind_a_dead_one(kit)
        assert [run.status for run in kit.runs()].count(RunStatus.QUEUED) == 4

        @function(fn_id="limited", trigger=ON)
        def unlimited(ctx: Context) -> Any:
            return ctx.step.run("crowded", crowded, ctx)

        kit.deploy([unlimited])
        kit.advance("1m")
        kit.advance_only("1h")
        kit.collect()

        assert [run.status for run in kit.runs()] == [RunStatus.COMPLETED] * 4
        assert kit.platform.room.lines.lines_of("limited") == []


def _stand_behind_a_dead_one(kit: Stepwell) -> None:
    """A place is held by an invocation that died, whose message is gone; the others come."""
    from chalicelib.core import concurrency as rule

    config = kit.platform.services.catalog.get("limited")
    assert config is not None
    ((claim,), _) = rule.claims("limited", config.flow, {"data": {}})
    now = kit.platform.clock.now_ms()
    assert kit.platform.room.lines.take(claim.key, rule.Slot(0, "dead", "n", now + 130_000), now)
    kit.drain()


def test_a_place_that_ran_out_is_given_to_the_next_one_by_the_sweep() -> None:
    with kit_of(limited(Concurrency(limit=1))) as kit:
        _kits[:] = [kit]
        _stand_behind_a_dead_one(kit)
        go(kit, {}, {})
        assert [run.status for run in kit.runs()] == [RunStatus.QUEUED] * 2

        kit.advance("2m")
        assert [run.status for run in kit.runs()] == [RunStatus.QUEUED] * 2
        kit.advance("1m")
        assert [run.status for run in kit.runs()] == [RunStatus.COMPLETED] * 2


@pytest.mark.parametrize(
    ("concurrency", "said"),
    [
        ([Concurrency(limit=-1)], "concurrency.0.limit"),
        ([Concurrency(limit=1, scope="env")], "needs a key"),
        ([Concurrency(limit=1, key="event.data.")], "concurrency.0.key"),
        ([Concurrency(limit=1)] * 3, "concurrency"),
    ],
)
def test_what_cannot_be_is_refused(concurrency: list[Concurrency], said: str) -> None:
    with pytest.raises(InvalidFunction, match=said):
        limited(*concurrency)
