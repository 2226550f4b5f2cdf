"""Runs that are cancelled because they do not begin, or do not end, in time."""

from __future__ import annotations

from datetime import datetime

import pytest

from chalicelib.sdk import (
    Context,
    InvalidFunction,
    StepError,
    Throttle,
    Timeouts,
    TriggerEvent,
    function,
)
from chalicelib.testing import RunView, Stepwell, start_stepwell
from tests.scenarios.insides import Died, break_driver, drain_dying, items


@function(fn_id="slow", trigger=TriggerEvent(event="go"), timeouts=Timeouts(finish="2h"))
def slow(ctx: Context) -> str:
    ctx.step.sleep("nap", ctx.event.data["for"])
    ctx.step.wait_for_event("more", event="more", timeout="10d")
    return "done"


@function(fn_id="quick", trigger=TriggerEvent(event="go-quickly"), timeouts=Timeouts(finish=10_000))
def quick(ctx: Context) -> str:
    ctx.step.sleep("nap", ctx.event.data["for"])
    return "done"


@function(
    fn_id="in-line",
    trigger=TriggerEvent(event="line"),
    concurrency=1,
    timeouts=Timeouts(start="1m", finish="1h"),
)
def in_line(ctx: Context) -> object:
    ctx.step.sleep("nap", "10s")
    return ctx.event.data["n"]


@function(
    fn_id="paced",
    trigger=TriggerEvent(event="pace"),
    throttle=Throttle(limit=1, period="1h"),
    timeouts=Timeouts(start="90m", finish="30m"),
)
def paced(ctx: Context) -> object:
    ctx.step.sleep("nap", ctx.event.data.get("for", "1m"))
    return ctx.event.data["n"]


@function(fn_id="patient", trigger=TriggerEvent(event="patience"), timeouts=Timeouts(start="1m"))
def patient(ctx: Context) -> str:
    ctx.step.sleep("nap", "1d")
    return "done"


def took_s(run: RunView) -> float:
    """From its creation to its end."""
    first, last = (datetime.fromisoformat(run.timeline[n]["at"].replace("Z", "+00:00")) for n in (0, -1))
    return (last - first).total_seconds()


def far_timers(kit: Stepwell) -> int:
    return sum("message" in item for item in items(kit, "timers"))


def test_a_run_that_sleeps_or_waits_ends_when_its_time_is_up() -> None:
    with start_stepwell([slow, quick]) as kit:
        for name, nap in (("go", "1d"), ("go", "1m"), ("go-quickly", "1h")):
            kit.send(name, {"for": nap})
        kit.advance("1d")

        sleeping, waiting = kit.runs(slow)
        [near] = kit.runs(quick)
        assert [run.status for run in (sleeping, waiting, near)] == ["Cancelled"] * 3
        assert [took_s(run) for run in (sleeping, waiting, near)] == [
            pytest.approx(7_200, abs=1.1),
            pytest.approx(7_200, abs=1.1),
            pytest.approx(10, abs=1.1),
        ]
        ending = sleeping.timeline[-1]
        assert ending["cause"] == {"kind": "timeout", "name": "finish"}
        assert ending["error"]["message"] == (
            "cancelled: it had not ended within 2h of its beginning (timeouts.finish)"
        )
        assert far_timers(kit) == 0


def test_a_run_that_ends_in_time_leaves_nothing_behind() -> None:
    with start_stepwell([slow, quick]) as kit:
        kit.send("go", {"for": "1m"})
        kit.send("go-quickly", {"for": "5s"})
        kit.advance("2m")
        kit.send("more")

        assert [run.output for run in kit.runs()] == ["done", "done"]
        assert far_timers(kit) == 0
        kit.advance("3h")
        assert [run.status for run in kit.runs()] == ["Completed", "Completed"]


def test_who_stands_in_line_too_long_is_cancelled_and_holds_up_nobody() -> None:
    with start_stepwell([in_line]) as kit:
        # A place that a dead turn holds for two minutes.
        dead = break_driver(kit, Died(), times=1)
        kit.send_only("line", {"n": 0})
        assert drain_dying(kit) == 1
        assert dead.left == 0
        for n in range(1, 3):
            kit.send("line", {"n": n})
        assert [run.status for run in kit.runs()] == ["Running", "Queued", "Queued"]
        kit.advance_only("59s")
        kit.drain()
        assert [run.status for run in kit.runs()] == ["Running", "Queued", "Queued"]
        kit.advance_only("2s")
        kit.drain()

        waited = kit.runs()[1:]
        assert [run.status for run in waited] == ["Cancelled", "Cancelled"]
        assert waited[0].history == ["run.created", "run.cancelled"]
        assert waited[0].timeline[-1]["cause"] == {"kind": "timeout", "name": "start"}
        assert waited[0].timeline[-1]["error"]["message"] == (
            "cancelled: it had not begun within 1m of its creation (timeouts.start)"
        )
        kit.advance_only("90s")
        kit.send("line", {"n": 3})
        kit.advance("15s")

        assert [run.output for run in kit.runs()] == [0, None, None, 3]
        assert not [item for item in items(kit, "limits") if item["sk"].startswith(("wait#", "slot#"))]


def test_a_throttled_run_whose_time_is_too_late_is_cancelled_before() -> None:
    with start_stepwell([paced]) as kit:
        for n in range(4):
            kit.send("pace", {"n": n})
        kit.advance("80m")
        assert [run.status for run in kit.runs()] == ["Completed", "Completed", "Queued", "Queued"]
        kit.advance("11m")

        runs = kit.runs()
        assert [run.status for run in runs] == ["Completed", "Completed", "Cancelled", "Cancelled"]
        assert [took_s(run) for run in runs[2:]] == [pytest.approx(5_400, abs=1.1)] * 2
        assert far_timers(kit) == 0


def test_the_time_to_end_in_begins_with_the_run_and_not_before() -> None:
    with start_stepwell([paced]) as kit:
        for n in range(2):
            kit.send("pace", {"n": n, "for": "2h"})
        kit.advance("89m")
        assert [run.status for run in kit.runs()] == ["Cancelled", "Running"]
        kit.advance("2m")

        assert [run.timeline[-1]["cause"]["name"] for run in kit.runs()] == ["finish", "finish"]


def test_one_that_has_begun_may_take_its_time() -> None:
    with start_stepwell([patient]) as kit:
        kit.send("patience")
        kit.advance("2d")

        assert kit.only_run().output == "done"


def test_a_first_turn_that_comes_too_late_does_not_begin_the_run() -> None:
    with start_stepwell([patient]) as kit:
        kit.send_only("patience")
        kit.pump.deliver_event()
        turn = kit.pump.hold("work")
        kit.advance_only("61s")
        kit.pump.deliver("work", turn)

        run = kit.only_run()
        assert (run.status, run.history) == ("Cancelled", ["run.created", "run.cancelled"])


def test_whatever_turn_comes_ends_a_run_whose_timer_was_lost() -> None:
    with start_stepwell([quick]) as kit:
        kit.send("go-quickly", {"for": "5m"})
        kit.advance_only("11s")
        kit.pump.lose("work", kit.pump.hold("work"))
        assert kit.only_run().status == "Running"
        kit.advance_only("5m")
        kit.drain()

        assert kit.only_run().timeline[-1]["cause"] == {"kind": "timeout", "name": "finish"}
        assert took_s(kit.only_run()) > 300


@pytest.mark.parametrize("name", ["go-quickly", "patience"])
def test_a_run_of_which_every_message_was_lost_is_found(name: str) -> None:
    with start_stepwell([quick, patient]) as kit:
        kit.send_only(name, {"for": "5s"})
        kit.pump.deliver_event()
        if name == "go-quickly":
            kit.pump.deliver_work()
        kit.advance_only("10m")
        while held := kit.pump.hold("work"):
            kit.pump.lose("work", held)
        kit.advance_only("20m")

        kit.collect()

        assert kit.only_run().status == "Cancelled"


def test_no_step_of_a_group_begins_after_the_time_is_up() -> None:
    ran: list[str] = []

    @function(fn_id="group", trigger=TriggerEvent(event="go"), timeouts=Timeouts(finish="1m"))
    def group(ctx: Context) -> None:
        ctx.group.parallel(
            (lambda: ctx.step.run("left", ran.append, "left"), lambda: ctx.step.run("right", ran.append, "right"))
        )

    with start_stepwell([group]) as kit:
        kit.send_only("go")
        kit.pump.deliver_event()
        kit.pump.deliver_work()
        steps = kit.pump.hold("work")
        kit.advance_only("2m")
        for step in steps:
            kit.pump.deliver("work", [step])

        assert kit.only_run().status == "Cancelled"
        assert ran == []


def test_no_step_begins_after_one_that_took_too_long() -> None:
    ran: list[str] = []
    kits: list[Stepwell] = []

    @function(fn_id="at-work", trigger=TriggerEvent(event="go"), timeouts=Timeouts(finish="1m"))
    def at_work(ctx: Context) -> None:
        ctx.step.run("long", kits[0].advance_only, "61s")
        ctx.step.run("next", ran.append, "next")

    with start_stepwell([at_work]) as kit:
        kits.append(kit)
        kit.send("go")

        run = kit.only_run()
        assert run.history == ["run.created", "run.started", "step.completed", "run.cancelled"]
        assert ran == []


def test_who_invoked_it_is_told() -> None:
    @function(fn_id="caller", trigger=TriggerEvent(event="call"))
    def caller(ctx: Context) -> object:
        try:
            return ctx.step.invoke("ask", function=quick, data={"for": "1h"})
        except StepError as error:
            return error.message

    with start_stepwell([caller, quick]) as kit:
        kit.send("call")
        kit.advance("1m")

        assert (
            kit.only_run(caller).output == "cancelled: it had not ended within 10s of its beginning (timeouts.finish)"
        )


def test_other_timeouts_hold_for_runs_that_are_created_from_then_on() -> None:
    @function(fn_id="quick", trigger=TriggerEvent(event="go-quickly"), timeouts=Timeouts(finish="1h"))
    def slower(ctx: Context) -> str:
        ctx.step.sleep("nap", ctx.event.data["for"])
        return "done"

    with start_stepwell([quick]) as kit:
        kit.send("go-quickly", {"for": "1m"})
        kit.deploy([slower])
        kit.send("go-quickly", {"for": "1m"})
        kit.advance("2m")

        assert [run.status for run in kit.runs()] == ["Cancelled", "Completed"]


@pytest.mark.parametrize(
    ("timeouts", "told"),
    [
        (Timeouts(start="500ms"), "timeouts.start: .*from 1s to 366d"),
        (Timeouts(finish="400d"), "timeouts.finish: .*from 1s to 366d"),
        (Timeouts(finish="soon"), "timeouts.finish: "),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_written(timeouts: Timeouts, told: str) -> None:
    with pytest.raises(InvalidFunction, match=rf"function 'broken': {told}"):

        @function(fn_id="broken", trigger=TriggerEvent(event="x"), timeouts=timeouts)
        def broken(_ctx: Context) -> None: ...
