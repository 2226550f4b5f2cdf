"""Waiting for the first of several events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from chalicelib.sdk import (
    AsyncContext,
    Cancel,
    Context,
    Event,
    FirstEvent,
    Function,
    StepError,
    TriggerEvent,
    WaitFor,
    function,
)
from chalicelib.testing import Stepwell, start_stepwell
from tests.scenarios.insides import items

SAME_ORDER = "async.data.order == event.data.order"
PAID_OR_GIVEN_UP = (WaitFor("paid", SAME_ORDER), WaitFor("given-up", SAME_ORDER))


def told(found: FirstEvent | None) -> Any:
    return None if found is None else [found.index, found.event.name, found.event.data.get("n")]


@function(fn_id="order", trigger=TriggerEvent(event="order"), cancel=Cancel(event="stop"))
def order(ctx: Context) -> Any:
    return told(ctx.step.wait_for_any("outcome", PAID_OR_GIVEN_UP, timeout="20d"))


def waiting_for(*events: WaitFor, **options: Any) -> Function[Any]:
    @function(fn_id="chooser", trigger=TriggerEvent(event="order"))
    def chooser(ctx: Context) -> Any:
        ctx.step.sleep("an-hour", "1h")
        return told(ctx.step.wait_for_any("outcome", events, timeout="2d", **options))

    return chooser


def start(kit: Stepwell, number: int = 7) -> None:
    kit.send("order", {"order": number})


def is_clean(kit: Stepwell) -> bool:
    rows, _ = kit.platform.services.pauses.scan(None, 1_000)
    timers = [item for item in items(kit, "timers") if "message" in item]
    counts = (kit.pump.visible(), kit.pump.in_flight(), kit.pump.dead_letters())
    return rows == [] and timers == [] and counts == (0, 0, 0)


@pytest.mark.parametrize(("name", "index"), [("paid", 0), ("given-up", 1)])
def test_the_result_says_which_event_came(name: str, index: int) -> None:
    with start_stepwell([order]) as kit:
        start(kit)
        kit.send(name, {"order": 8})
        assert kit.only_run().status == "Running"

        kit.send(name, {"order": 7, "n": 1})
        assert kit.only_run().output == [index, name, 1]


def test_the_losers_leave_nothing_behind() -> None:
    with start_stepwell([order]) as kit:
        start(kit)
        assert len(kit.platform.services.pauses.scan(None, 100)[0]) == 3
        assert [item for item in items(kit, "timers") if "message" in item]

        kit.send("paid", {"order": 7})

        assert is_clean(kit)


def test_the_loser_that_comes_later_does_nothing() -> None:
    with start_stepwell([order]) as kit:
        start(kit)
        kit.send_only("given-up", {"order": 7, "n": 1})
        late = kit.pump.hold("events")
        kit.send("paid", {"order": 7, "n": 2})

        assert kit.pump.deliver("events", late)
        kit.drain()

        assert kit.only_run().output == [0, "paid", 2]
        assert kit.events("given-up")[0]["name"] == "given-up"
        assert kit.event(kit.events("given-up")[0]["internal_id"])["resumed"] == []
        assert is_clean(kit)


def test_the_winner_that_is_delivered_again_does_nothing() -> None:
    with start_stepwell([order]) as kit:
        start(kit)
        kit.send_only("paid", {"order": 7, "n": 1})
        held = kit.pump.hold("events")
        assert kit.pump.deliver("events", held, acknowledge=False)
        kit.drain()
        assert kit.pump.deliver("events", held)
        kit.drain()

        assert kit.only_run().output == [0, "paid", 1]
        assert is_clean(kit)


def test_the_timeout() -> None:
    with start_stepwell([order]) as kit:
        start(kit)
        kit.advance("20d")

        assert (kit.only_run().status, kit.only_run().output) == ("Completed", None)
        assert "step.timed_out" in kit.only_run().history
        assert is_clean(kit)


def test_the_cancellation() -> None:
    with start_stepwell([order]) as kit:
        start(kit)
        kit.send("stop")
        kit.send("paid", {"order": 7})

        assert kit.only_run().status == "Cancelled"
        assert is_clean(kit)


def test_the_timeline_shows_all_and_which_came() -> None:
    with start_stepwell([order]) as kit:
        start(kit)
        kit.send("given-up", {"order": 7})

        by_type = {entry["type"]: entry for entry in kit.only_run().timeline if entry.get("step") == "outcome"}
        assert by_type["step.waiting"]["any_of"] == [
            {"event": "paid", "if": SAME_ORDER},
            {"event": "given-up", "if": SAME_ORDER},
        ]
        assert by_type["step.resumed"]["index"] == 1
        assert by_type["step.resumed"]["cause"]["name"] == "given-up"


# one event, several conditions


@pytest.mark.parametrize("lookback", [None, "run"])
@pytest.mark.parametrize(
    ("data", "index"),
    [
        ({"order": 7, "amount": 500}, 0),
        ({"order": 7, "amount": 50}, 1),
        ({"order": 8, "amount": 50}, 2),
        ({"order": 8, "amount": 500}, 2),
    ],
)
def test_an_event_that_is_several_of_them_counts_as_the_first(lookback: Any, data: dict[str, Any], index: int) -> None:
    events = (
        WaitFor("paid", f"{SAME_ORDER} && async.data.amount > 100"),
        WaitFor("paid", SAME_ORDER),
        WaitFor("paid"),
    )
    with start_stepwell([waiting_for(*events, lookback=lookback)]) as kit:
        start(kit)
        if lookback is None:
            kit.advance("1h")
        kit.send("paid", data)
        kit.advance("1h")

        assert kit.only_run().output[:2] == [index, "paid"]
        assert is_clean(kit)


# looking back


def test_of_those_that_came_before_the_newest_is_taken() -> None:
    with start_stepwell([waiting_for(*PAID_OR_GIVEN_UP, lookback="run")]) as kit:
        start(kit)
        for name, number in (("paid", 7), ("given-up", 7), ("paid", 8)):
            kit.send(name, {"order": number})
        kit.advance("1h")

        assert kit.only_run().output == [1, "given-up", None]
        assert is_clean(kit)


def test_a_long_look_back_over_several_names() -> None:
    with start_stepwell([waiting_for(*PAID_OR_GIVEN_UP, lookback="run")], remaining_ms=10_000) as kit:
        start(kit)
        kit.send("given-up", {"order": 7})
        kit.send("paid", {"order": 7, "n": 1})
        kit.send([{"name": name, "data": {"order": 8}} for name in ("paid", "given-up") * 10])
        kit.advance("1h")

        assert kit.only_run().output == [0, "paid", 1]


# what cannot be used


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([], "wait_for_any takes 2 to 10 events, not 0"),
        ([WaitFor("a")], "wait_for_any takes 2 to 10 events, not 1; for a single one use wait_for_event"),
        ([WaitFor(f"e{n}") for n in range(11)], "wait_for_any takes 2 to 10 events, not 11"),
        ([WaitFor("a"), WaitFor("b"), WaitFor("a")], "event 3 (a) is the same as event 1: give it another condition"),
        ([WaitFor("a"), WaitFor("")], "event 2: event must be a text, not empty"),
        ([WaitFor("a"), WaitFor("b", "")], "event 2: if_exp must be a text, not empty"),
        ([WaitFor("a"), "b"], "event 2 must be a WaitFor (from chalicelib.sdk), not str"),
        ({"a": "b"}, "wait_for_any takes a list, such as"),
        ([WaitFor("a"), WaitFor("b" * 257)], "event 2: event has 257 characters; at most 256 are allowed"),
    ],
)
def test_what_cannot_be_waited_for_is_told(events: Any, message: str) -> None:
    @function(fn_id="wrong", trigger=TriggerEvent(event="go"), retries=0)
    def wrong(ctx: Context) -> Any:
        return told(ctx.step.wait_for_any("outcome", events, timeout="1h"))

    with start_stepwell([wrong]) as kit:
        kit.send("go")

        run = kit.only_run()
        assert run.status == "Failed"
        assert f"step 'outcome': {message}" in str(run.error)


@pytest.mark.parametrize(
    ("lookback", "message"),
    [
        ("runs", "'runs' is not a duration"),
        (-1, "a duration cannot be negative"),
        ("400d", "lookback is longer than 366d"),
        ([], "lookback takes 'run', milliseconds, a timedelta or a text such as '7d', not list"),
    ],
)
def test_a_look_back_that_cannot_be_used_is_told(lookback: Any, message: str) -> None:
    with start_stepwell([waiting_for(*PAID_OR_GIVEN_UP, lookback=lookback)]) as kit:
        start(kit)
        kit.advance("1h")

        assert message in str(kit.only_run().timeline)


def test_a_condition_that_cannot_be_read_is_named() -> None:
    @function(fn_id="wrong", trigger=TriggerEvent(event="go"))
    def wrong(ctx: Context) -> Any:
        events: Sequence[WaitFor] = [WaitFor("a"), WaitFor("b", "async.data.")]
        try:
            return told(ctx.step.wait_for_any("outcome", events, timeout="1h"))
        except StepError as error:
            return error.message

    with start_stepwell([wrong]) as kit:
        kit.send("go")

        assert str(kit.only_run().output).startswith("the condition of wait_for_any 'outcome', event 2 (b): ")
        assert is_clean(kit)


def test_a_condition_that_can_never_hold_is_told_and_the_others_are_waited_for() -> None:
    with start_stepwell([waiting_for(WaitFor("a", "false"), WaitFor("b"))]) as kit:
        start(kit)
        kit.advance("1h")
        assert any("event 1 (a)" in text and "never match" in text for text in kit.only_run().warnings)

        kit.send("a")
        assert kit.only_run().status == "Running"
        kit.send("b")
        assert kit.only_run().output == [1, "b", None]


def test_ten_events_with_eight_alternatives_each_fit_one_write() -> None:
    condition = " || ".join(f"async.data.field{n} == {n}" for n in range(8))
    events = [WaitFor(f"event-{n}", condition) for n in range(10)]
    with start_stepwell([waiting_for(*events)]) as kit:
        start(kit)
        kit.advance("1h")
        assert len(kit.platform.services.pauses.scan(None, 1_000)[0]) == 80

        kit.send("event-9", {"field7": 7})
        assert kit.only_run().output == [9, "event-9", None]
        assert is_clean(kit)


def test_in_an_asynchronous_function_and_side_by_side() -> None:
    @function(fn_id="racer", trigger=TriggerEvent(event="go"))
    async def racer(ctx: AsyncContext) -> Any:
        async def first() -> FirstEvent | None:
            return await ctx.step.wait_for_any("first", [WaitFor("a"), WaitFor("b")], timeout="1h")

        async def single() -> Event | None:
            return await ctx.step.wait_for_event("single", event="b", timeout="1h")

        found, event = await ctx.group.parallel((first, single))
        return [told(found), None if event is None else event.name]

    with start_stepwell([racer]) as kit:
        kit.send("go")
        kit.send("b")

        assert kit.only_run().output == [[1, "b", None], "b"]
        assert is_clean(kit)
