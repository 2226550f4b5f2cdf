"""Cancelling by an event, before, during and after everything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.core import ids
from chalicelib.core.messages import LookBackMessage
from chalicelib.sdk import Cancel, Context, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell
from tests.scenarios.insides import items, replace_services

SAME_CART = "async.data.cart == event.data.cart"


@function(
    fn_id="reminder",
    trigger=TriggerEvent(event="cart.left"),
    cancel=[
        Cancel(event="order", if_exp=SAME_CART),
        Cancel(event="cart.emptied", if_exp=SAME_CART, timeout="2h"),
    ],
)
def reminder(ctx: Context) -> str:
    ctx.step.sleep("a-day", "1d")
    return ctx.step.run("remind", lambda: "reminded")


@pytest.mark.parametrize(
    ("event", "data", "after", "status"),
    [
        ("order", {"cart": 1}, "1h", "Cancelled"),
        ("order", {"cart": 1}, "23h", "Cancelled"),
        ("order", {"cart": 1.0}, "1h", "Cancelled"),
        ("order", {"cart": 2}, "1h", "Completed"),
        ("order", {"cart": "1"}, "1h", "Completed"),
        ("order", {}, "1h", "Completed"),
        ("cart.emptied", {"cart": 1}, "1h", "Cancelled"),
        ("cart.emptied", {"cart": 1}, "1h59m59s", "Cancelled"),
        ("cart.emptied", {"cart": 1}, "2h1s", "Completed"),
        ("order", {"cart": 1}, "25h", "Completed"),
    ],
)
def test_which_event_cancels(event: str, data: dict[str, Any], after: str, status: str) -> None:
    with start_stepwell([reminder]) as kit:
        kit.send("cart.left", {"cart": 1})
        kit.advance(after)
        kit.send(event, data)
        kit.advance("2d")

        assert kit.only_run().status == status
        assert [row for row in items(kit, "pauses") if "pause" in row] == []


def test_it_cancels_every_run_that_it_is_meant_for_and_no_other() -> None:
    with start_stepwell([reminder]) as kit:
        kit.send([{"name": "cart.left", "data": {"cart": cart}} for cart in (1, 2, 1)])
        [event_id] = kit.send("order", {"cart": 1})

        assert [run.status for run in kit.runs()] == ["Cancelled", "Running", "Cancelled"]
        assert len(kit.event(event_id)["cancelled"]) == 2


def test_in_one_request_an_event_before_the_trigger_does_not_cancel() -> None:
    with start_stepwell([reminder]) as kit:
        kit.send([{"name": name, "data": {"cart": 1}} for name in ("order", "cart.left")])

        assert kit.only_run().status == "Running"


def test_in_one_request_an_event_after_the_trigger_cancels() -> None:
    with start_stepwell([reminder]) as kit:
        kit.send([{"name": name, "data": {"cart": 1}} for name in ("cart.left", "order")])

        assert kit.only_run().status == "Cancelled"


@pytest.mark.parametrize("event", ["order", "cart.emptied"])
def test_a_cancellation_that_overtakes_the_start(event: str) -> None:
    with start_stepwell([reminder]) as kit:
        kit.send_only("cart.left", {"cart": 1})
        trigger = kit.pump.hold("events")
        [event_id] = kit.send(event, {"cart": 1})
        assert kit.runs() == []

        assert kit.pump.deliver("events", trigger)
        kit.drain()

        run = kit.only_run()
        assert run.status == "Cancelled"
        assert "run.started" not in run.history
        assert [effect["run_id"] for effect in kit.event(event_id)["cancelled"]] == [run.run_id]


def test_an_earlier_event_that_is_processed_late_does_not_cancel() -> None:
    with start_stepwell([reminder]) as kit:
        kit.send_only("order", {"cart": 1})
        earlier = kit.pump.hold("events")
        kit.send("cart.left", {"cart": 1})

        assert kit.pump.deliver("events", earlier)
        kit.drain()

        assert kit.only_run().status == "Running"


def cancel_from_within(kit: Stepwell) -> None:
    """The cancelling event is processed while a step runs."""
    kit.send_only("stop")
    kit.pump.deliver_event()
    kit.advance_only(5)


def test_no_further_step_begins_after_a_cancellation_between_two_steps() -> None:
    ran: list[object] = []

    @function(fn_id="job", trigger=TriggerEvent(event="go"), cancel=Cancel(event="stop"))
    def job(ctx: Context) -> None:
        ctx.step.run("first", ran.append, "first")
        ctx.step.run("second", lambda: cancel_from_within(kit))
        ctx.step.run("third", ran.append, "third")

    with start_stepwell([job]) as kit:
        kit.send("go")

        run = kit.only_run()
        assert run.status == "Cancelled"
        assert ran == ["first"]
        # The step that ran was not interrupted: its result is kept, and shown as what it is.
        assert run.steps["second"].status == "completed"
        assert "1 step result(s) came after the end and changed nothing" in run.warnings
        assert run.history[-1] == "step.completed"


def test_a_run_cancelled_in_its_last_step_stays_cancelled() -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"), cancel=Cancel(event="stop"))
    def job(ctx: Context) -> str:
        ctx.step.run("only", lambda: cancel_from_within(kit))
        return "done"

    with start_stepwell([job]) as kit:
        kit.send("go")

        run = kit.only_run()
        assert (run.status, run.output) == ("Cancelled", None)
        assert len(kit.events("inngest/function.cancelled")) == 1
        assert len(kit.events("inngest/function.finished")) == 1


def test_cancelled_while_a_step_waits_for_its_next_attempt() -> None:
    ran: list[object] = []

    def fail() -> None:
        ran.append(1)
        raise ValueError

    @function(fn_id="job", trigger=TriggerEvent(event="go"), cancel=Cancel(event="stop"))
    def job(ctx: Context) -> None:
        ctx.step.run("flaky", fail)

    with start_stepwell([job]) as kit:
        kit.send("go")
        kit.send("stop")
        kit.advance("1d")

        assert kit.only_run().status == "Cancelled"
        assert ran == [1]


def test_cancelled_while_parallel_steps_run() -> None:
    ran: list[object] = []

    @function(fn_id="job", trigger=TriggerEvent(event="go"), cancel=Cancel(event="stop"))
    def job(ctx: Context) -> None:
        ctx.group.parallel(
            (
                lambda: ctx.step.run("a", lambda: cancel_from_within(kit)),
                lambda: ctx.step.run("b", ran.append, "b"),
            )
        )
        ctx.step.run("after", ran.append, "after")

    with start_stepwell([job]) as kit:
        kit.send("go")

        assert kit.only_run().status == "Cancelled"
        assert ran == []


def test_by_the_api_once() -> None:
    with start_stepwell([reminder]) as kit:
        kit.send("cart.left", {"cart": 1})
        run_id = kit.only_run().run_id
        kit.cancel(run_id)
        kit.cancel(run_id)

        run = kit.run(run_id)
        assert run.status == "Cancelled"
        assert run.timeline[-1]["cause"] == {"kind": "api"}
        assert len(kit.events("inngest/function.cancelled")) == 1


def test_a_run_that_has_ended_stays_as_it_is() -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"), cancel=Cancel(event="stop"))
    def job(_ctx: Context) -> str:
        return "done"

    with start_stepwell([job]) as kit:
        kit.send("go")
        [event_id] = kit.send("stop")
        kit.cancel(kit.only_run().run_id)

        assert (kit.only_run().status, kit.only_run().output) == ("Completed", "done")
        assert kit.event(event_id)["cancelled"] == []


def test_an_event_that_both_starts_and_cancels() -> None:
    """Each start supersedes the one before: a debounce by hand."""

    @function(fn_id="latest", trigger=TriggerEvent(event="typed"), cancel=Cancel(event="typed", if_exp=SAME_CART))
    def latest(ctx: Context) -> object:
        ctx.step.sleep("quiet", "1m")
        return ctx.event.data["text"]

    with start_stepwell([latest]) as kit:
        for text in ("a", "ab", "abc"):
            kit.send("typed", {"cart": 1, "text": text})
            kit.advance("10s")
        kit.advance("1h")

        assert [(run.status, run.output) for run in kit.runs()] == [
            ("Cancelled", None),
            ("Cancelled", None),
            ("Completed", "abc"),
        ]


@pytest.mark.parametrize("is_there", [True, False])
def test_a_start_that_comes_late_looks_back_in_several_messages(is_there: bool) -> None:
    with start_stepwell([reminder]) as kit:
        kit.send_only("cart.left", {"cart": 1})
        trigger = kit.pump.hold("events")
        kit.send([{"name": "order", "data": {"cart": 2}} for _ in range(8)])
        if is_there:
            kit.send("cart.emptied", {"cart": 1})
        settings = replace(kit.platform.services.settings, look_back_per_start=3)
        replace_services(kit, settings=settings)

        assert kit.pump.deliver("events", trigger)
        assert kit.only_run().status == "Queued"
        before = kit.pump.deliveries
        kit.drain()

        assert kit.pump.deliveries - before >= 2
        assert kit.only_run().status == ("Cancelled" if is_there else "Running")
        kit.advance("2d")
        assert [row for row in items(kit, "pauses") if "pause" in row] == []


def test_looking_back_for_a_run_that_has_begun_or_ended_meanwhile_changes_nothing() -> None:
    with start_stepwell([reminder]) as kit:
        kit.send("cart.left", {"cart": 1})
        run_id = kit.only_run().run_id
        message = LookBackMessage(run_id=run_id, name="order", position=ids.position(0))
        for _ in range(2):
            kit.platform.services.queues.send_events([message])
            kit.drain()
            kit.advance("2d")

        assert kit.only_run().output == "reminded"
        assert kit.only_run().history.count("run.started") == 1
