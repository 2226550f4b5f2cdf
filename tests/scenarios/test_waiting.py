"""Waiting for an event: who wins, and what does not count."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from chalicelib.sdk import Cancel, Context, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell

SAME_USER = "async.data.user_id == event.data.user_id"


@function(fn_id="waiter", trigger=TriggerEvent(event="start"), cancel=Cancel(event="stop", if_exp=SAME_USER))
def waiter(ctx: Context) -> Any:
    event = ctx.step.wait_for_event("wait", event="answer", if_exp=SAME_USER, timeout="1h")
    return None if event is None else event.data


@function(fn_id="twice", trigger=TriggerEvent(event="start"))
def twice(ctx: Context) -> list[Any]:
    first = ctx.step.wait_for_event("one", event="answer", timeout=timedelta(hours=1))
    second = ctx.step.wait_for_event("two", event="answer", timeout=timedelta(hours=1))
    return [None if event is None else event.data["n"] for event in (first, second)]


def start(kit: Stepwell, user_id: str = "u1") -> None:
    kit.send("start", {"user_id": user_id})


def is_clean(kit: Stepwell) -> bool:
    """No message and no row of the index is left."""
    rows, _ = kit.platform.services.pauses.scan(None, 1_000)
    counts = (kit.pump.visible(), kit.pump.in_flight(), kit.pump.dead_letters())
    return rows == [] and counts == (0, 0, 0)


def test_the_event_resumes_the_run_that_it_is_meant_for() -> None:
    with start_stepwell([waiter]) as kit:
        start(kit, "u1")
        start(kit, "u2")
        [event_id] = kit.send("answer", {"user_id": "u2", "n": 7})

        first, second = kit.runs()
        assert (first.status, second.status) == ("Running", "Completed")
        assert second.output == {"user_id": "u2", "n": 7}
        resumed = second.timeline[-2]
        assert resumed["type"] == "step.resumed"
        assert resumed["cause"] == {"kind": "event", "id": event_id, "name": "answer"}
        [effect] = kit.event(event_id)["resumed"]
        assert effect["run_id"] == second.run_id


def test_one_event_resumes_many_runs() -> None:
    with start_stepwell([waiter]) as kit:
        for _ in range(5):
            start(kit)
        [event_id] = kit.send("answer", {"user_id": "u1"})

        assert {run.status for run in kit.runs()} == {"Completed"}
        assert len(kit.event(event_id)["resumed"]) == 5
        assert is_clean(kit)


def test_other_events_are_ignored() -> None:
    with start_stepwell([waiter]) as kit:
        start(kit)
        kit.send("answer", {"user_id": "u2"})
        kit.send("answer", {"user": "u1"})
        kit.send("answer")
        kit.send("question", {"user_id": "u1"})
        kit.send("Answer", {"user_id": "u1"})

        assert kit.only_run().status == "Running"


def test_the_timeout() -> None:
    with start_stepwell([waiter]) as kit:
        start(kit)
        kit.advance("1h")

        run = kit.only_run()
        assert (run.status, run.output) == ("Completed", None)
        assert "step.timed_out" in run.history
        assert is_clean(kit)
        kit.send("answer", {"user_id": "u1"})
        assert kit.only_run().output is None


def test_the_cancellation() -> None:
    with start_stepwell([waiter]) as kit:
        start(kit)
        kit.send("stop", {"user_id": "u1"})
        kit.send("answer", {"user_id": "u1"})
        kit.advance("2h")

        assert kit.only_run().status == "Cancelled"
        assert is_clean(kit)


def test_the_first_of_event_timeout_and_cancellation_wins() -> None:
    with start_stepwell([waiter]) as kit:
        start(kit)
        kit.send([{"name": name, "data": {"user_id": "u1"}} for name in ("answer", "stop")])
        kit.advance("2h")
        assert kit.only_run().steps["wait"].caused_by == "answer"

        # An event resumes by a turn of its own, so a cancellation in the same batch is there before it.
        assert kit.only_run().status == "Cancelled"
        assert is_clean(kit)


def test_an_empty_timeout_is_over_at_once() -> None:
    @function(fn_id="glance", trigger=TriggerEvent(event="start"))
    def glance(ctx: Context) -> bool:
        return ctx.step.wait_for_event("wait", event="answer", timeout=0) is None

    with start_stepwell([glance]) as kit:
        start(kit)

        assert kit.only_run().output is True
        assert is_clean(kit)


def test_two_waits_in_a_row_need_two_events() -> None:
    with start_stepwell([twice]) as kit:
        start(kit)
        kit.send("answer", {"n": 1})
        run = kit.only_run()
        assert (run.steps["one"].status, run.steps["two"].status) == ("completed", "waiting")

        kit.send("answer", {"n": 2})
        assert kit.only_run().output == [1, 2]


def test_two_events_in_one_request_meet_only_the_wait_that_stands() -> None:
    with start_stepwell([twice]) as kit:
        start(kit)
        kit.send([{"name": "answer", "data": {"n": 1}}, {"name": "answer", "data": {"n": 2}}])
        kit.advance("1h")

        # The second one was processed before the run came to its second wait.
        assert kit.only_run().output == [1, None]


def test_a_redelivered_event_does_not_resume_a_later_wait() -> None:
    with start_stepwell([twice]) as kit:
        start(kit)
        kit.send_only("answer", {"n": 1})
        held = kit.pump.hold("events")
        assert kit.pump.deliver("events", held, acknowledge=False)
        kit.drain()
        assert kit.only_run().steps["two"].status == "waiting"

        assert kit.pump.deliver("events", held, acknowledge=False)
        kit.drain()
        assert kit.only_run().steps["two"].status == "waiting"

        kit.advance("2h")
        assert kit.only_run().output == [1, None]
        assert is_clean(kit)


def test_an_event_accepted_in_time_counts_though_it_is_processed_after_the_deadline() -> None:
    with start_stepwell([waiter]) as kit:
        start(kit)
        kit.advance("59m")
        kit.send_only("answer", {"user_id": "u1"})
        kit.advance_only("5m")
        kit.drain()

        assert kit.only_run().output == {"user_id": "u1"}


def test_unless_the_timeout_was_recorded_first() -> None:
    with start_stepwell([waiter]) as kit:
        start(kit)
        kit.advance("59m")
        kit.send_only("answer", {"user_id": "u1"})
        held = kit.pump.hold("events")
        kit.advance_only("1m")
        kit.pump.deliver_work()
        kit.advance("1s")
        kit.pump.deliver("events", held)
        kit.drain()

        assert kit.only_run().steps["wait"].caused_by == "timer"
        assert is_clean(kit)


def test_an_event_accepted_after_the_deadline_does_not_count_though_the_timeout_was_not_processed_yet() -> None:
    with start_stepwell([waiter]) as kit:
        start(kit)
        kit.advance_only("1h1ms")
        kit.send("answer", {"user_id": "u1"})
        kit.advance("1s")

        assert kit.only_run().steps["wait"].caused_by == "timer"


def test_an_event_between_the_trigger_and_the_wait_is_not_yet_looked_back_for() -> None:
    """Looking back belongs to a later issue; what counts is that the run does not hang on it."""

    @function(fn_id="late", trigger=TriggerEvent(event="start"))
    def late(ctx: Context) -> bool:
        ctx.step.sleep("first", "1m")
        return ctx.step.wait_for_event("wait", event="answer", timeout="1h") is None

    with start_stepwell([late]) as kit:
        start(kit)
        kit.send("answer")
        kit.advance("2h")

        assert kit.only_run().output is True


def test_the_event_that_starts_a_run_does_not_resume_its_wait_for_the_same_name() -> None:
    @function(fn_id="again", trigger=TriggerEvent(event="click"))
    def again(ctx: Context) -> object:
        event = ctx.step.wait_for_event("second-click", event="click", timeout="1h")
        return None if event is None else event.data["n"]

    with start_stepwell([again]) as kit:
        kit.send("click", {"n": 1})
        assert kit.only_run().status == "Running"
        kit.send("click", {"n": 2})

        first, second = kit.runs()
        assert (first.output, second.status) == (2, "Running")


def test_conditions_on_more_than_one_field() -> None:
    @function(fn_id="precise", trigger=TriggerEvent(event="start"))
    def precise(ctx: Context) -> object:
        event = ctx.step.wait_for_event(
            "wait",
            event="paid",
            if_exp=(
                "async.data.user_id == event.data.user_id && "
                "(async.data.amount >= event.data.price || async.data.kind in ['voucher', 'gift'])"
            ),
            timeout="1d",
        )
        return None if event is None else event.data["n"]

    with start_stepwell([precise]) as kit:
        kit.send("start", {"user_id": "u1", "price": 100})
        kit.send("paid", {"user_id": "u1", "amount": 99, "n": 1})
        kit.send("paid", {"user_id": "u2", "amount": 100, "n": 2})
        kit.send("paid", {"user_id": "u1", "kind": "cash", "n": 3})
        kit.send("paid", {"user_id": "u1", "amount": "200", "n": 4})
        assert kit.only_run().status == "Running"
        kit.send("paid", {"user_id": "u1", "kind": "gift", "n": 5})

        assert kit.only_run().output == 5
        assert is_clean(kit)


def test_a_condition_that_cannot_be_evaluated_for_an_event_does_not_match_it() -> None:
    @function(fn_id="fragile", trigger=TriggerEvent(event="start"))
    def fragile(ctx: Context) -> object:
        event = ctx.step.wait_for_event(
            "wait", event="report", if_exp="async.data.total / async.data.count > 10", timeout="1d"
        )
        return None if event is None else event.data["count"]

    with start_stepwell([fragile]) as kit:
        start(kit)
        kit.send("report", {"total": 100, "count": 0})
        assert kit.only_run().status == "Running"
        kit.send("report", {"total": 100, "count": 2})
        assert kit.only_run().output == 2


def test_the_event_that_resumed_has_all_of_its_fields() -> None:
    @function(fn_id="whole", trigger=TriggerEvent(event="start"))
    def whole(ctx: Context) -> object:
        event = ctx.step.wait_for_event("wait", event="answer", timeout="1d")
        assert event is not None
        return [event.name, event.data, event.id, event.ts, event.user, event.v]

    with start_stepwell([whole]) as kit:
        start(kit)
        kit.send([{"name": "answer", "data": {"a": [1, {"b": None}]}, "id": "x", "ts": 5, "user": {"u": 1}, "v": "2"}])

        assert kit.only_run().output == ["answer", {"a": [1, {"b": None}]}, "x", 5, {"u": 1}, "2"]
