"""What a story counts: each thing once, whatever is delivered twice (docs/METRICS.md)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core import limits
from chalicelib.core.errors import InfrastructureError, InvalidEvent, LimitExceeded
from chalicelib.core.messages import TurnMessage
from chalicelib.core.metrics import Metric
from chalicelib.engine import ingest, metrics, query
from chalicelib.sdk import Cancel, Context, Event, NonRetriableError, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell
from chalicelib.testing.session import kit_session
from tests.scenarios.insides import Died, Slow, break_driver, drain_dying, replace_services

_STARTED = {"EventsIn": 1, "RunsStarted": 1}


def values(kit: Stepwell, metric: Metric) -> list[float]:
    """What was measured so far."""
    return kit.platform.metrics.so_far().values.get(metric, [])


@function(fn_id="pack", trigger=TriggerEvent(event="order"))
def pack(ctx: Context) -> None:
    ctx.step.run("pick", lambda: None)
    ctx.step.run("wrap", lambda: None)


@function(fn_id="waiter", trigger=TriggerEvent(event="start"), cancel=[Cancel(event="stop")])
def waiter(ctx: Context) -> None:
    ctx.step.wait_for_event("wait", event="go", if_exp=ctx.event.data.get("if"), timeout="1d")


@function(fn_id="fragile", trigger=TriggerEvent(event="break"), retries=2)
def fragile(ctx: Context) -> None:
    def fall() -> None:
        raise ValueError("broken")

    if ctx.event.data.get("at once"):
        raise NonRetriableError("broken for good")
    ctx.step.run("fall", fall)


# events and runs


def test_a_run_and_its_steps() -> None:
    with start_stepwell([pack]) as kit:
        kit.send("order")
        assert kit.counts == _STARTED | {"Steps": 2, "RunsCompleted": 1}


def test_an_event_that_starts_nothing() -> None:
    with start_stepwell([pack]) as kit:
        kit.send("nobody")
        assert kit.counts == {"EventsIn": 1}


def test_messages_that_come_twice_are_counted_once() -> None:
    with start_stepwell([pack]) as kit:
        kit.send_only("order")
        event = kit.pump.hold("events")
        for _ in range(3):
            kit.pump.deliver("events", event, acknowledge=False)
        work = kit.pump.hold("work")
        for _ in range(3):
            kit.pump.deliver("work", work)

        told = kit.pump.hold("events")
        kit.pump.deliver("events", told, acknowledge=False)
        kit.pump.deliver("events", told)

        # Of the event that the user sent, two; of the one that tells the run's end, one.
        assert kit.counts == _STARTED | {"Steps": 2, "RunsCompleted": 1, "DuplicatesIgnored": 3}


def test_an_id_that_was_seen_before() -> None:
    with start_stepwell([pack]) as kit:
        for _ in range(3):
            kit.send("order", id="o-1")
        assert kit.counts == {
            "EventsIn": 3,
            "DuplicatesIgnored": 2,
            "RunsStarted": 1,
            "Steps": 2,
            "RunsCompleted": 1,
        }


def test_our_own_events_are_not_the_users() -> None:
    @function(fn_id="asks", trigger=TriggerEvent(event="ask"))
    def asks(ctx: Context) -> None:
        ctx.step.send_event("tell", Event(name="nobody"))
        ctx.step.invoke("call", function=pack)

    with start_stepwell([asks, pack]) as kit:
        kit.send("ask")
        # In: the user's, and the one that the step sent. Steps: tell, call, pick, wrap.
        assert kit.counts == {"EventsIn": 2, "RunsStarted": 2, "Steps": 4, "RunsCompleted": 2}


def test_events_that_are_refused() -> None:
    with start_stepwell([pack]) as kit:
        with pytest.raises(InvalidEvent):
            kit.send_only([{"name": ""}, {"name": "nobody"}, {"data": {}}])
        too_many = [{"name": "nobody"}] * (limits.MAX_EVENTS_PER_REQUEST + 1)
        with pytest.raises(LimitExceeded):
            ingest.accept(kit.platform.services, kit.platform.reception, too_many)
        kit.drain()
        assert kit.counts == {"EventsRefused": 2 + len(too_many), "EventsIn": 1}


def test_an_event_from_the_bus_that_is_refused() -> None:
    with start_stepwell([pack]) as kit:
        body = '{"version": "0", "id": "x", "detail-type": "inngest/no", "source": "shop", "detail": {}}'
        record = {"messageId": "m", "receiptHandle": "r", "body": body, "attributes": {}}
        assert kit.pump.deliver("events", [record], acknowledge=False)
        assert kit.counts == {"EventsRefused": 1}


# failures


def test_a_step_that_fails_for_good() -> None:
    with start_stepwell([fragile]) as kit:
        kit.send("break")
        kit.advance("1d")
        assert kit.counts == _STARTED | {"Retries": 2, "StepsFailed": 1, "RunsFailed": 1}


def test_a_function_that_fails_at_once() -> None:
    with start_stepwell([fragile]) as kit:
        kit.send("break", {"at once": True})
        assert kit.counts == _STARTED | {"RunsFailed": 1}


def test_a_function_whose_own_code_is_tried_again() -> None:
    tries: list[int] = []

    @function(fn_id="second", trigger=TriggerEvent(event="try"))
    def second(_: Context) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError

    with start_stepwell([second]) as kit:
        kit.send("try")
        kit.advance("1d")
        assert kit.counts == _STARTED | {"Retries": 1, "RunsCompleted": 1}


@function(fn_id="both", trigger=TriggerEvent(event="fan"))
def both(ctx: Context) -> None:
    tries: list[int] = []

    def second_time() -> None:
        if ctx.attempt == 0:
            raise ValueError("not yet")
        tries.append(1)

    ctx.group.parallel((lambda: ctx.step.run("a", second_time), lambda: ctx.step.run("b", lambda: None)))


def test_steps_side_by_side_whose_messages_come_twice() -> None:
    with start_stepwell([both]) as kit:
        kit.send_only("fan")
        kit.pump.deliver_event()
        kit.pump.deliver_work()
        steps = kit.pump.hold("work")
        for record in steps + steps:
            kit.pump.deliver("work", [record])
        kit.advance("1d")
        assert kit.counts == _STARTED | {"Steps": 2, "Retries": 1, "RunsCompleted": 1}


def test_messages_that_fail_and_end_among_the_dead_letters() -> None:
    with start_stepwell([pack]) as kit:
        break_driver(kit, InfrastructureError("throttled"))
        kit.send("order")
        while not kit.pump.dead_letters():
            kit.advance_only("1m")
            kit.drain()
        assert kit.counts == _STARTED | {"DeliveriesFailed": limits.MAX_RECEIVES - 1, "DeadLettered": 1}


def test_a_lease_whose_process_died() -> None:
    with start_stepwell([pack]) as kit:
        break_driver(kit, Died(), times=1)
        kit.send_only("order")
        assert drain_dying(kit) == 1
        while kit.only_run().status != "Completed":
            kit.advance_only("1m")
            kit.drain()
        assert kit.counts == _STARTED | {"LeaseTakeovers": 1, "Steps": 2, "RunsCompleted": 1}


def test_a_planned_step_whose_process_died() -> None:
    with start_stepwell([both]) as kit:
        kit.send_only("fan")
        kit.pump.deliver_event()
        kit.pump.deliver_work()
        break_driver(kit, Died(), times=1)
        assert drain_dying(kit) == 1
        while kit.only_run().status != "Completed":
            kit.advance_only("1m")
            kit.drain()
        assert kit.counts == _STARTED | {"LeaseTakeovers": 1, "Retries": 1, "Steps": 2, "RunsCompleted": 1}


def test_a_result_that_comes_when_another_delivery_has_done_it_all() -> None:
    entered: list[int] = []
    kits: list[Stepwell] = []

    def overtaken() -> int:
        entered.append(1)
        if len(entered) == 1:  # So slow that its lease runs out and its message comes again.
            kits[0].advance_only("10m")
            kits[0].drain()
        return len(entered)

    @function(fn_id="slow", trigger=TriggerEvent(event="go slow"))
    def slow(ctx: Context) -> None:
        ctx.step.run("overtaken", overtaken)

    with start_stepwell([slow]) as kit:
        kits.append(kit)
        kit.send("go slow")
        assert len(entered) == 2
        assert kit.counts == _STARTED | {"LeaseTakeovers": 1, "LateResults": 1, "Steps": 1, "RunsCompleted": 1}


def test_a_function_that_returns_when_its_run_was_cancelled() -> None:
    kits: list[Stepwell] = []

    @function(fn_id="undone", trigger=TriggerEvent(event="go"))
    def undone(ctx: Context) -> str:
        query.cancel_run(kits[0].platform.services, ctx.run_id)
        return "nobody listens"

    with start_stepwell([undone]) as kit:
        kits.append(kit)
        kit.send("go")
        assert kit.counts == _STARTED | {"RunsCancelled": 1, "LateResults": 1}


def test_a_run_that_was_forgotten() -> None:
    with start_stepwell([pack]) as kit:
        kit.send_only("order")
        kit.pump.deliver_event()
        kit.pump.lose("work", kit.pump.hold("work"))
        kit.advance_only("20m")
        kit.collect()
        kit.collect()
        # Its event is sent again, and its message with it.
        expected = {"RunsPoked": 1, "DuplicatesIgnored": 1, "Steps": 2, "RunsCompleted": 1}
        assert kit.counts == _STARTED | expected


# waits


def test_a_wait_that_an_event_ends_though_it_comes_twice() -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("start")
        kit.send_only("go")
        held = kit.pump.hold("events")
        kit.pump.deliver("events", held, acknowledge=False)
        kit.pump.deliver("events", held)
        kit.drain()
        assert kit.counts == {
            "EventsIn": 2,
            "RunsStarted": 1,
            "WaitsOpened": 1,
            "WaitsMatched": 1,
            "DuplicatesIgnored": 1,
            "RunsCompleted": 1,
        }


def test_a_wait_that_times_out() -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("start")
        kit.advance("2d")
        assert kit.counts == _STARTED | {"WaitsOpened": 1, "WaitsExpired": 1, "RunsCompleted": 1}


@pytest.mark.parametrize("how", ["event", "API"])
def test_waits_that_are_open_when_their_run_is_cancelled(how: str) -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("start")
        if how == "event":
            kit.send_only("stop")
            held = kit.pump.hold("events")
            kit.pump.deliver("events", held)
            kit.drain()
        else:
            kit.cancel(kit.only_run().run_id)
            kit.cancel(kit.only_run().run_id)
        counts = kit.counts
        assert counts.pop("EventsIn") == (2 if how == "event" else 1)
        assert counts == {"RunsStarted": 1, "WaitsOpened": 1, "WaitsCancelled": 1, "RunsCancelled": 1}


def test_sleeps_and_invocations_are_steps() -> None:
    @function(fn_id="sleeper", trigger=TriggerEvent(event="start"))
    def sleeper(ctx: Context) -> None:
        ctx.step.sleep("not at all", "0s")
        ctx.step.sleep("a while", "1h")
        ctx.step.invoke("call", function=waiter, data={}, timeout="1m")

    with start_stepwell([sleeper, waiter]) as kit:
        kit.send([{"name": "start"}])
        kit.advance("2h")
        counts = kit.counts
        # Two sleeps; the invocation timed out. The function that also listens for the event is another story.
        assert (counts["Steps"], counts["StepsFailed"]) == (2, 1)


# expressions


def test_a_condition_that_cannot_be_compiled() -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("start", {"if": "async.data.x =="})
        assert kit.counts == _STARTED | {"InvalidExpressions": 1, "StepsFailed": 1, "RunsFailed": 1}


def test_a_condition_that_an_event_cannot_be_tested_against() -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("start", {"if": "async.data.a / async.data.b > 1"})
        kit.send_only("go", {"a": 1, "b": 0})
        held = kit.pump.hold("events")
        kit.pump.deliver("events", held, acknowledge=False)
        kit.pump.deliver("events", held)
        assert (kit.counts["ExpressionErrors"], kit.counts["DuplicatesIgnored"]) == (1, 1)
        assert "WaitsMatched" not in kit.counts


def test_a_trigger_that_an_event_cannot_be_tested_against() -> None:
    @function(fn_id="half", trigger=TriggerEvent(event="order", expression="event.data.a / event.data.b > 1"))
    def half(_: Context) -> None:
        pass

    with start_stepwell([half]) as kit:
        kit.send("order", {"a": 1, "b": 0})
        assert kit.counts == {"EventsIn": 1, "ExpressionErrors": 1}


def test_a_cancellation_that_cannot_be_used_for_a_run() -> None:
    @function(
        fn_id="picky",
        trigger=TriggerEvent(event="order"),
        cancel=[Cancel(event="stop", if_exp="async.data.id == event.data.id")],
    )
    def picky(_: Context) -> None:
        pass

    with start_stepwell([picky]) as kit:
        kit.send_only("order", {"id": "x" * 100_000})
        held = kit.pump.hold("events")
        kit.pump.deliver("events", held, acknowledge=False)
        kit.pump.deliver("events", held)
        kit.drain()
        assert "cannot be used" in kit.only_run().warnings[0]
        assert kit.counts == _STARTED | {"InvalidExpressions": 1, "DuplicatesIgnored": 1, "RunsCompleted": 1}


# ages and backlog


def test_the_age_of_events_and_of_work_at_their_first_delivery() -> None:
    with start_stepwell([pack]) as kit:
        kit.send_only("order")
        kit.advance_only("5s")
        held = kit.pump.hold("events")
        kit.pump.deliver("events", held, acknowledge=False)
        kit.advance_only("1m")
        kit.pump.deliver("events", held)
        assert values(kit, Metric.EVENT_AGE) == [5_001]

        kit.pump.lose("work", kit.pump.hold("work", 1))
        kit.advance_only("7s")
        kit.pump.deliver_work()
        [age] = values(kit, Metric.WORK_AGE)
        assert 7_000 <= age < 8_000


def test_the_stages_of_an_event_at_its_first_delivery() -> None:
    with start_stepwell([pack]) as kit:
        s = kit.platform.services
        replace_services(kit, events=Slow(s.events, kit, 10), pauses=Slow(s.pauses, kit, 100))
        kit.send_only("order")
        held = kit.pump.hold("events")
        kit.pump.deliver("events", held, acknowledge=False)
        kit.pump.deliver("events", held)
        # Its name and its record are written; the shapes of its name are read.
        assert (values(kit, Metric.RECORD_TIME), values(kit, Metric.MATCH_TIME)) == ([20], [100])


def test_delayed_work_has_no_age_before_it_is_due() -> None:
    @function(fn_id="sleeper", trigger=TriggerEvent(event="start"))
    def sleeper(ctx: Context) -> None:
        ctx.step.sleep("a while", "10m")

    with start_stepwell([sleeper]) as kit:
        kit.send("start")
        kit.advance("11m")
        first, after_sleep = values(kit, Metric.WORK_AGE)
        assert (first, after_sleep < 2_000) == (0, True)


def test_the_backlog_of_each_queue() -> None:
    with start_stepwell([pack, waiter, fragile]) as kit:
        kit.send("break")
        kit.send_only([{"name": "order"}] * 3)
        kit.pump.hold("events", 1)
        for _ in range(5):
            kit.platform.services.queues.send_work(TurnMessage(run_id=kit.only_run().run_id))
        kit.pump.hold("work", 2)
        metrics.measure_backlog(kit.platform.services)
        assert (values(kit, Metric.EVENTS_VISIBLE), values(kit, Metric.EVENTS_IN_FLIGHT)) == ([2], [1])
        assert (values(kit, Metric.WORK_VISIBLE), values(kit, Metric.WORK_IN_FLIGHT)) == ([3], [2])
        assert values(kit, Metric.WORK_DELAYED) == [1]
        assert values(kit, Metric.DEAD_LETTERS) == []


def test_dead_letters_are_told_while_somebody_looks_at_them() -> None:
    with start_stepwell([pack]) as kit:
        config = kit.platform.config
        sqs: Any = kit_session().create_client("sqs")
        for url in (config.dead_events_url, config.dead_work_url):
            sqs.send_message(QueueUrl=url, MessageBody="{}")
        sqs.receive_message(QueueUrl=config.dead_work_url)
        metrics.measure_backlog(kit.platform.services)
        assert values(kit, Metric.DEAD_LETTERS) == [2]


def test_a_stage_at_rest_tells_nothing_of_its_backlog() -> None:
    with start_stepwell([pack]) as kit:
        metrics.measure_backlog(kit.platform.services)
        assert not kit.platform.metrics.so_far()
