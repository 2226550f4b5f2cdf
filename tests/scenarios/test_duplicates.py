"""An event that is sent twice with the same `id`."""

from __future__ import annotations

from chalicelib.sdk import Context, Event, TriggerEvent, function
from chalicelib.testing import start_stepwell


@function(fn_id="charge", trigger=TriggerEvent(event="order"))
def charge(ctx: Context) -> object:
    return ctx.event.data.get("n")


@function(fn_id="pack", trigger=TriggerEvent(event="order", expression="event.data.n > 1"))
def pack(ctx: Context) -> object:
    return ctx.event.data.get("n")


def test_it_starts_a_function_once_in_24_hours() -> None:
    with start_stepwell([charge]) as kit:
        kit.send("order", {"n": 1}, id="o-1")
        kit.advance("23h59m")
        [again] = kit.send("order", {"n": 2}, id="o-1")
        kit.send("order", {"n": 3}, id="o-2")

        first, other = kit.runs()
        assert (first.output, other.output) == (1, 3)
        [reason] = kit.event(again)["not_started"]
        assert reason == {"function_id": "charge", "reason": f"the id 'o-1' already started run {first.run_id}"}


def test_it_starts_it_again_after_24_hours() -> None:
    with start_stepwell([charge]) as kit:
        kit.send("order", {"n": 1}, id="o-1")
        kit.advance("24h1s")
        kit.send("order", {"n": 2}, id="o-1")

        assert [run.output for run in kit.runs()] == [1, 2]


def test_the_window_is_each_functions_own() -> None:
    with start_stepwell([charge, pack]) as kit:
        kit.send("order", {"n": 1}, id="o-1")
        kit.send("order", {"n": 2}, id="o-1")

        assert [run.output for run in kit.runs(charge)] == [1]
        assert [run.output for run in kit.runs(pack)] == [2]


def test_two_in_one_request() -> None:
    with start_stepwell([charge]) as kit:
        kit.send([{"name": "order", "id": "x", "data": {"n": n}} for n in (1, 2, 3)])

        assert kit.only_run().output == 1


def test_the_duplicate_is_stored_and_still_resumes_waits() -> None:
    @function(fn_id="waiter", trigger=TriggerEvent(event="start"))
    def waiter(ctx: Context) -> object:
        first = ctx.step.wait_for_event("one", event="order", timeout="1d")
        ctx.step.sleep("pause", "1m")
        second = ctx.step.wait_for_event("two", event="order", timeout="1d")
        assert first is not None
        assert second is not None
        return [first.data["n"], second.data["n"]]

    with start_stepwell([waiter, charge]) as kit:
        kit.send("start")
        kit.send("order", {"n": 1}, id="o-1")
        kit.advance("2m")
        kit.send("order", {"n": 2}, id="o-1")

        assert kit.only_run(waiter).output == [1, 2]
        assert len(kit.runs(charge)) == 1
        assert [event["id"] for event in kit.events("order")] == ["o-1", "o-1"]


def test_events_that_a_step_sends_with_an_id() -> None:
    @function(fn_id="sender", trigger=TriggerEvent(event="start"))
    def sender(ctx: Context) -> None:
        ctx.step.send_event("tell", [Event(name="order", id="o-9", data={"n": 1}), Event(name="order", id="o-9")])

    with start_stepwell([sender, charge]) as kit:
        kit.send("start")
        kit.send("start")

        assert kit.only_run(charge).output == 1


def test_a_message_that_is_delivered_twice_starts_nothing_twice() -> None:
    with start_stepwell([charge]) as kit:
        kit.send_only("order", {"n": 1}, id="o-1")
        held = kit.pump.hold("events")
        for _ in range(3):
            assert kit.pump.deliver("events", held, acknowledge=False)
        kit.drain()
        kit.advance("1h")  # The message was not acknowledged: it comes once more.

        assert kit.only_run().output == 1
        assert kit.pump.in_flight() == kit.pump.visible() == 0
