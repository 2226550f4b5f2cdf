"""Functions that call functions, and send events."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from chalicelib.sdk import Cancel, Context, Event, NonRetriableError, StepError, TriggerEvent, function
from chalicelib.testing import start_stepwell


def fail(message: str) -> None:
    raise NonRetriableError(message)


@function(fn_id="price", trigger=TriggerEvent(event="price"), cancel=Cancel(event="stop"))
def price(ctx: Context) -> Any:
    how = ctx.event.data.get("how")
    if how == "fail":
        ctx.step.run("break", fail, "no price")
    if how == "sleep":
        ctx.step.sleep("long", ctx.event.data["for"])
    return {"cents": 100 * ctx.event.data["count"]}


@function(fn_id="quote", trigger=TriggerEvent(event="quote"))
def quote(ctx: Context) -> Any:
    try:
        return ctx.step.invoke("ask", function=price, data=ctx.event.data, timeout="1h")
    except StepError as error:
        return f"{error.name}: {error.message}"


def test_it_gets_what_the_function_returned() -> None:
    with start_stepwell([price, quote]) as kit:
        kit.send("quote", {"count": 3})

        asked, asker = kit.only_run(price), kit.only_run(quote)
        assert asker.output == {"cents": 300}
        assert asker.steps["ask"].caused_by == "price"
        invoking = next(entry for entry in asker.timeline if entry["type"] == "step.invoking")
        assert (invoking["function_id"], invoking["run_id"]) == ("price", asked.run_id)
        [event] = kit.events("inngest/function.invoked")
        assert (event["data"], event["source"]) == ({"count": 3}, "invoke")


def test_a_failure_is_a_step_error() -> None:
    with start_stepwell([price, quote]) as kit:
        kit.send("quote", {"count": 3, "how": "fail"})

        assert kit.only_run(quote).output == "NonRetriableError: no price"


def test_so_is_a_cancellation() -> None:
    with start_stepwell([price, quote]) as kit:
        kit.send("quote", {"count": 3, "how": "sleep", "for": "30m"})
        kit.send("stop")

        assert kit.only_run(price).status == "Cancelled"
        assert kit.only_run(quote).output == "FunctionCancelled: cancelled by the event stop"


def test_it_waits_for_a_slow_one() -> None:
    with start_stepwell([price, quote]) as kit:
        kit.send("quote", {"count": 3, "how": "sleep", "for": "59m"})
        kit.advance("59m")

        assert kit.only_run(quote).output == {"cents": 300}


def test_but_not_longer_than_its_timeout() -> None:
    with start_stepwell([price, quote]) as kit:
        kit.send("quote", {"count": 3, "how": "sleep", "for": "2h"})
        kit.advance("1h")
        assert kit.only_run(quote).output == (
            "InvokeTimeout: the invoked function price did not end in time; it goes on by itself"
        )
        assert kit.only_run(price).status == "Running"

        kit.advance("1h")
        assert kit.only_run(price).status == "Completed"
        assert kit.only_run(quote).status == "Completed"


def test_an_unknown_function() -> None:
    @function(fn_id="lost", trigger=TriggerEvent(event="lost"))
    def lost(ctx: Context) -> None:
        ctx.step.invoke_by_id("ask", function_id="pricee")

    with start_stepwell([price, lost]) as kit:
        kit.send("lost")

        run = kit.only_run(lost)
        assert (run.status, run.error) == (
            "Failed",
            "the invoked function 'pricee' is not there; known functions: lost, price",
        )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"function": price, "data": {"at": object()}}, "data is not JSON: data.at is of type object"),
        ({"function": price, "data": [1]}, "data must be a dict, not list"),
        ({"function": "price"}, "use ctx.step.invoke_by_id"),
        ({"function": price, "timeout": "2y"}, "write numbers with units"),
        ({"function": price, "timeout": "400d"}, "longer than 366d"),
        ({"function": price, "data": {"a": "x" * (3 * 1024 * 1024)}}, "at most 3,145,728 are allowed"),
    ],
)
def test_bad_arguments_fail_the_step_at_once(arguments: dict[str, Any], says: str) -> None:
    @function(fn_id="caller", trigger=TriggerEvent(event="call"))
    def caller(ctx: Context) -> None:
        ctx.step.invoke("ask", **arguments)

    with start_stepwell([price, caller]) as kit:
        kit.send("call")

        run = kit.only_run(caller)
        assert run.status == "Failed"
        assert says in str(run.error)
        assert kit.runs(price) == []


def test_a_chain_and_a_fan_out_of_invocations() -> None:
    @function(fn_id="sum", trigger=TriggerEvent(event="sum"))
    def total(ctx: Context) -> int:
        def ask(n: int) -> Any:
            return ctx.step.invoke(f"price-{n}", function=quote, data={"count": n})

        found: tuple[Any, ...] = ctx.group.parallel(tuple(partial(ask, n) for n in (1, 2, 3)))
        return sum(item["cents"] for item in found)

    with start_stepwell([price, quote, total]) as kit:
        kit.send("sum")

        assert kit.only_run(total).output == 600
        assert len(kit.runs(price)) == 3


def test_a_function_that_invokes_itself() -> None:
    @function(fn_id="countdown", trigger=TriggerEvent(event="count"))
    def countdown(ctx: Context) -> Any:
        n = ctx.event.data["n"]
        return [n, *(ctx.step.invoke_by_id("next", function_id="countdown", data={"n": n - 1}) if n else [])]

    with start_stepwell([countdown]) as kit:
        kit.send("count", {"n": 5})

        assert kit.runs()[0].output == [5, 4, 3, 2, 1, 0]


def test_events_that_a_step_sends() -> None:
    @function(fn_id="sender", trigger=TriggerEvent(event="send"))
    def sender(ctx: Context) -> list[str]:
        one = ctx.step.send_event("one", Event(name="price", data={"count": 1}))
        many = ctx.step.send_event("many", [Event(name="price", data={"count": n}, user={"id": n}) for n in (2, 3)])
        return one + many

    with start_stepwell([price, sender]) as kit:
        kit.send("send")

        assert [run.output for run in kit.runs(price)] == [{"cents": 100}, {"cents": 200}, {"cents": 300}]
        ids = kit.only_run(sender).output
        assert sorted(ids) == sorted(event["internal_id"] for event in kit.events("price"))
        assert {kit.event(event_id)["source"] for event_id in ids} == {"step"}


def test_a_sending_step_that_is_tried_again_sends_the_same_events() -> None:
    calls: list[object] = []

    @function(fn_id="sender", trigger=TriggerEvent(event="send"))
    def sender(ctx: Context) -> None:
        events = [Event(name="price", data={"count": 1})]
        if not calls:
            calls.append(1)
            # Two invocations of one attempt: the first one dies after sending.
            kit.platform.services.driver.call(kit_request(ctx))
        ctx.step.send_event("one", events)

    def kit_request(ctx: Context) -> Any:
        from chalicelib.core.calls import CallRequest

        run = kit.platform.services.runs.load(ctx.run_id)
        assert run is not None
        return CallRequest(ctx.run_id, "sender", 0, 5, run.event, {})

    with start_stepwell([price, sender]) as kit:
        kit.send("send")

        assert len(kit.runs(price)) == 1
        assert len(kit.events("price")) == 1


@pytest.mark.parametrize(
    ("events", "says"),
    [
        (Event(name="inngest/x"), "reserved"),
        (Event(name=""), "name"),
        (Event(name="a", data={"x": float("nan")}), "event.data.x is nan"),
        (Event(name="a", data={"x": {1, 2}}), "return a sorted list of it"),
        ([Event(name="a"), {"name": "b"}], "event 2 must be an Event"),
        ("a", "takes an Event or a list of them"),
        ([Event(name="a")] * 5001, "at most 5,000"),
        (Event(name="a", ts=-1), "ts"),
    ],
)
def test_events_that_cannot_be_sent_fail_the_step(events: Any, says: str) -> None:
    @function(fn_id="sender", trigger=TriggerEvent(event="send"))
    def sender(ctx: Context) -> None:
        ctx.step.send_event("tell", events)

    with start_stepwell([sender]) as kit:
        kit.send("send")

        run = kit.only_run()
        assert (run.status, run.steps["tell"].attempts) == ("Failed", 1)
        assert says in str(run.error)


def test_what_a_run_sends_reaches_a_run_that_it_started_just_before() -> None:
    @function(fn_id="sender", trigger=TriggerEvent(event="send"))
    def sender(ctx: Context) -> None:
        ctx.step.send_event("open", Event(name="open"))
        ctx.step.send_event("close", Event(name="close"))

    @function(fn_id="door", trigger=TriggerEvent(event="open"), cancel=Cancel(event="close"))
    def door(ctx: Context) -> None:
        ctx.step.sleep("open", "1d")

    with start_stepwell([sender, door]) as kit:
        kit.send("send")

        assert kit.only_run(door).status == "Cancelled"
