"""What starts a function: names, wildcards, expressions, schedules."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chalicelib.sdk import Context, TriggerCron, TriggerEvent, function
from chalicelib.testing import start_stepwell


@function(fn_id="exact", trigger=TriggerEvent(event="shop/order.placed"))
def exact(ctx: Context) -> str:
    return ctx.event.name


@function(fn_id="slash", trigger=TriggerEvent(event="shop/*"))
def slash(ctx: Context) -> str:
    return ctx.event.name


@function(fn_id="dot", trigger=TriggerEvent(event="shop/order.*"))
def dot(ctx: Context) -> str:
    return ctx.event.name


@function(fn_id="large", trigger=TriggerEvent(event="shop/order.placed", expression="event.data.total >= 100"))
def large(ctx: Context) -> str:
    return ctx.event.name


@function(
    fn_id="either",
    trigger=[TriggerEvent(event="shop/order.placed"), TriggerEvent(event="shop/*"), TriggerEvent(event="other")],
)
def either(ctx: Context) -> str:
    return ctx.event.name


ALL = [exact, slash, dot, large, either]


@pytest.mark.parametrize(
    ("name", "data", "started"),
    [
        ("shop/order.placed", {"total": 100}, {"exact", "slash", "dot", "large", "either"}),
        ("shop/order.placed", {"total": 99.5}, {"exact", "slash", "dot", "either"}),
        ("shop/order.placed", {}, {"exact", "slash", "dot", "either"}),
        ("shop/order.placed", {"total": "100"}, {"exact", "slash", "dot", "either"}),
        ("shop/order.paid", {}, {"slash", "dot", "either"}),
        ("shop/orders", {}, {"slash", "either"}),
        ("other", {}, {"either"}),
        ("shop", {}, set()),
        ("Shop/order.placed", {}, set()),
        ("unheard/of", {}, set()),
    ],
)
def test_events_start_the_functions_whose_trigger_they_meet(
    name: str, data: dict[str, object], started: set[str]
) -> None:
    with start_stepwell(ALL) as kit:
        [event_id] = kit.send(name, data)

        runs = kit.runs()
        assert {run.function_id for run in runs} == started
        assert len(runs) == len(started)  # Once each, though several triggers of a function match.
        assert all((run.status, run.output) == ("Completed", name) for run in runs)
        audit = kit.event(event_id)
        assert {start["function_id"] for start in audit["started"]} == started
        assert not {row["function_id"] for row in audit["not_started"]} & started


def test_an_expression_that_cannot_be_evaluated_is_told_on_the_event() -> None:
    @function(fn_id="picky", trigger=TriggerEvent(event="a", expression="event.data.size / event.data.parts == 2"))
    def picky(_ctx: Context) -> None: ...

    with start_stepwell([picky]) as kit:
        [event_id] = kit.send("a", {"size": 2, "parts": 0})
        [good] = kit.send("a", {"size": 2, "parts": 1})

        assert len(kit.runs()) == 1
        assert len(kit.event(good)["started"]) == 1
        [problem] = kit.event(event_id)["not_started"]
        assert problem["function_id"] == "picky"
        assert "could not be evaluated" in problem["reason"]


def test_a_trigger_whose_condition_does_not_hold_is_told_on_the_event() -> None:
    @function(
        fn_id="large",
        trigger=[
            TriggerEvent(event="order", expression="event.data.total > 100 && event.data.paid"),
            TriggerEvent(event="order", expression="event.data.vip == true"),
            TriggerEvent(event="other"),
            TriggerCron(cron="0 9 * * 1"),
        ],
    )
    def large(_ctx: Context) -> None: ...

    @function(fn_id="any", trigger=TriggerEvent(event="order"))
    def anything(_ctx: Context) -> None: ...

    with start_stepwell([large, anything]) as kit:
        [small] = kit.send("order", {"total": 5, "paid": True})
        [good] = kit.send("order", {"total": 500, "paid": True})
        [unknown] = kit.send("nobody")

        assert kit.event(small)["not_started"] == [
            {
                "function_id": "large",
                "reason": "the trigger's condition does not hold: event.data.total > 100 is false: "
                "event.data.total is 5, nor: event.data.vip == true is false: event.data.vip is missing",
            }
        ]
        assert kit.event(good)["not_started"] == kit.event(unknown)["not_started"] == []


def test_what_is_meant_for_one_function_is_not_told_of_others() -> None:
    @function(fn_id="called", trigger=TriggerEvent(event="elsewhere"))
    def called(_ctx: Context) -> int:
        return 1

    @function(fn_id="caller", trigger=TriggerEvent(event="call"))
    def caller(ctx: Context) -> object:
        return ctx.step.invoke("it", function=called)

    @function(
        fn_id="spy", trigger=TriggerEvent(event="inngest/function.invoked", expression="event.data.never == true")
    )
    def spy(_ctx: Context) -> None: ...

    with start_stepwell([called, caller, spy]) as kit:
        kit.send("call")
        [invoked] = kit.events("inngest/function.invoked")
        assert kit.event(invoked["internal_id"])["not_started"] == []


def test_a_schedule_follows_its_time_zone_through_the_change_of_the_clocks() -> None:
    @function(fn_id="report", trigger=TriggerCron(cron="TZ=Europe/Berlin 0 9 * * 1"))
    def report(ctx: Context) -> str:
        return datetime.fromtimestamp(ctx.event.ts / 1000, tz=UTC).isoformat()

    with start_stepwell([report], at=datetime(2026, 3, 20, 12, 0, tzinfo=UTC)) as kit:
        kit.advance("15d")

        # On 29 March 2026 the clocks went forward: nine o'clock comes an hour earlier.
        assert [run.output for run in kit.runs()] == ["2026-03-23T08:00:00+00:00", "2026-03-30T07:00:00+00:00"]


def test_a_schedule_starts_a_run_once_though_ticks_are_missed_or_doubled() -> None:
    @function(fn_id="hourly", trigger=TriggerCron(cron="0 * * * *"))
    def hourly(ctx: Context) -> str:
        return ctx.event.name

    with start_stepwell([hourly]) as kit:
        kit.advance("1m")
        kit.advance_only("59m30s")  # Ten o'clock passes without a tick.
        kit.advance("1s")
        kit.advance("1s")

        run = kit.only_run()
        assert run.output == "inngest/scheduled.timer"
        assert kit.platform.services.runs.head(run.run_id).wire()["cron"] == "0 * * * *"  # type: ignore[union-attr]


def test_after_a_long_outage_schedules_are_made_up_for_an_hour_only() -> None:
    @function(fn_id="quarterly", trigger=TriggerCron(cron="*/15 * * * *"))
    def quarterly(_ctx: Context) -> None: ...

    with start_stepwell([quarterly]) as kit:
        kit.advance("1s")
        kit.advance_only("3d")
        kit.advance("1s")

        assert len(kit.runs()) == 4


def test_a_wildcard_is_not_started_by_stepwells_own_events() -> None:
    @function(fn_id="all", trigger=TriggerEvent(event="inngest/*"))
    def everything(_ctx: Context) -> None: ...

    @function(fn_id="told", trigger=TriggerEvent(event="inngest/function.finished"))
    def told(ctx: Context) -> object:
        return ctx.event.data["function_id"]

    @function(fn_id="work", trigger=TriggerEvent(event="a"))
    def work(_ctx: Context) -> None: ...

    with start_stepwell([everything, told, work]) as kit:
        kit.send("a")

        assert [(run.function_id, run.output) for run in kit.runs()] == [("work", None), ("told", "work")]
