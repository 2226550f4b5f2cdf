"""Waiting for a signal, and sending one."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.errors import LimitExceeded
from chalicelib.core.signals import InvalidSignal
from chalicelib.core.steps import StepOutcome
from chalicelib.engine import signals
from chalicelib.sdk import AsyncContext, Context, StepError, TriggerEvent, function
from chalicelib.testing import RunView, Stepwell, start_stepwell
from tests.scenarios.insides import items, replace_services


@function(fn_id="waiter", trigger=TriggerEvent(event="wait"))
def waiter(ctx: Context) -> Any:
    data = ctx.event.data
    try:
        found = ctx.step.wait_for_signal(
            "approval",
            signal=data.get("signal", "order-1"),
            timeout=data.get("for", "1h"),
            on_conflict=data.get("on_conflict", "fail"),
        )
    except StepError as error:
        return [error.name, error.message]
    return None if found is None else [found.signal, found.data]


@function(fn_id="sender", trigger=TriggerEvent(event="send"))
def sender(ctx: Context) -> str | None:
    return ctx.step.send_signal("tell", signal="order-1", data=ctx.event.data)


def send(kit: Stepwell, signal: str = "order-1", data: Any = None) -> str | None:
    return kit.send_signal(signal, data)


def rows(kit: Stepwell) -> list[str]:
    """Who waits for signals, as the table has it."""
    return [item["pk"] for item in items(kit, "pauses") if item["pk"].startswith("signal#")]


def runs(kit: Stepwell) -> tuple[RunView, RunView]:
    first, second = kit.runs("waiter")
    return first, second


@pytest.mark.parametrize("data", [None, {"ok": True}, [1, "ä"], "text", 0])
def test_a_signal_resumes_the_run_that_waits_for_it(data: Any) -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("wait")
        assert kit.only_run().steps["approval"].status == "waiting"
        run_id = send(kit, "order-1", data)

        run = kit.only_run()
        assert (run.run_id, run.output) == (run_id, ["order-1", data])
        assert rows(kit) == []
        waiting, resumed = (entry for entry in run.timeline if entry["type"] in ("step.waiting", "step.resumed"))
        assert (waiting["signal"], waiting["until"]) == ("order-1", "2026-01-05T10:00:00.002Z")
        assert resumed["cause"] == {"kind": "signal", "name": "order-1"}
        assert (kit.counts["WaitsOpened"], kit.counts["WaitsMatched"]) == (1, 1)


def test_an_asynchronous_function_waits_and_sends_too() -> None:
    @function(fn_id="waits", trigger=TriggerEvent(event="go"))
    async def waits(ctx: AsyncContext) -> Any:
        found = await ctx.step.wait_for_signal("approval", signal="order-1", timeout="1h")
        return None if found is None else found.data

    @function(fn_id="sends", trigger=TriggerEvent(event="send"))
    async def sends(ctx: AsyncContext) -> str | None:
        return await ctx.step.send_signal("tell", signal="order-1", data={"n": 1})

    with start_stepwell([waits, sends]) as kit:
        kit.send("go")
        kit.send("send")

        assert kit.only_run("waits").output == {"n": 1}
        assert kit.only_run("sends").output == kit.only_run("waits").run_id


def test_a_signal_that_nobody_waits_for_is_kept_for_nobody() -> None:
    with start_stepwell([waiter, sender]) as kit:
        assert send(kit) is None
        kit.send("send")
        assert kit.only_run("sender").output is None
        kit.send("wait")

        assert kit.only_run("waiter").status == "Running"
        assert send(kit, "order-2") is None


def test_a_signal_ends_one_wait_only_once() -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("wait")
        assert send(kit, data=1) is not None
        assert send(kit, data=2) is None

        assert kit.only_run().output == ["order-1", 1]


def test_a_wait_for_a_signal_times_out() -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("wait", {"for": "10m"})
        kit.advance("10m")

        run = kit.only_run()
        assert (run.output, run.history[-2]) == (None, "step.timed_out")
        assert (rows(kit), kit.counts["WaitsExpired"]) == ([], 1)
        assert send(kit) is None


def test_a_far_time_out_leaves_no_timer_behind() -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("wait", {"for": "20d"})
        send(kit)

        assert kit.only_run().output == ["order-1", None]
        assert [item for item in items(kit, "timers") if "message" in item] == []


def test_a_signal_after_the_time_out_finds_nobody_though_no_turn_has_come_yet() -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("wait", {"for": "10m"})
        kit.advance_only("10m1ms")

        assert send(kit) is None
        assert kit.only_run().output is None


def test_the_second_wait_for_a_signal_fails_and_names_the_first() -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("wait", {"for": "20d"})
        kit.send("wait", {"for": "21d"})

        first, second = runs(kit)
        name, message = second.output
        assert name == "SignalTaken"
        assert message.startswith(f"run {first.run_id} of function 'waiter' waits for the signal 'order-1' already")
        assert len([item for item in items(kit, "timers") if "message" in item]) == 1
        assert send(kit, data=1) == first.run_id


def test_a_wait_that_replaces_takes_the_place_of_the_first() -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("wait", {"for": "20d"})
        kit.send("wait", {"on_conflict": "replace"})

        first, second = runs(kit)
        assert send(kit, data=1) == second.run_id
        assert runs(kit)[1].output == ["order-1", 1]
        # The one that was replaced waits on, as SDKs document it, and its time comes.
        assert send(kit, data=2) is None
        assert kit.run(first.run_id).status == "Running"
        kit.advance("21d")
        assert (kit.run(first.run_id).status, kit.run(first.run_id).output) == ("Completed", None)
        assert [item for item in items(kit, "timers") if "message" in item] == []


@pytest.mark.parametrize("how", ["cancelled", "timed out"])
def test_the_row_of_a_wait_that_is_over_stands_in_nobody_s_way(how: str) -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("wait", {"for": "10m"})
        first = kit.only_run()
        if how == "cancelled":
            kit.cancel(first.run_id)
            assert rows(kit) == []
        else:
            kit.advance_only("10m1ms")
            kit.pump.hold("work")
        kit.send("wait")
        run_id = send(kit, data=1)

        assert run_id == runs(kit)[1].run_id
        assert runs(kit)[0].output is None


def test_whoever_finds_a_wait_ended_wakes_its_run_since_the_one_who_ended_it_may_have_died() -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("wait", {"for": "20d"})
        first = kit.only_run()
        (step_id,) = [item["sk"].removeprefix("s#") for item in items(kit, "runs") if item["sk"].startswith("s#")]
        kit.platform.services.runs.complete(first.run_id, step_id, StepOutcome(ended_at_ms=1, output=None))
        kit.drain()
        assert kit.only_run().status == "Running"
        kit.send("wait")

        assert [run.status for run in runs(kit)] == ["Completed", "Running"]


class _Dying:
    """Queues to which nothing can be sent once, but what is to come later."""

    def __init__(self, queues: Any) -> None:
        self._queues = queues
        self._is_dead = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queues, name)

    def send_work(self, message: Any, *, delay_s: int = 0) -> None:
        if self._is_dead and not delay_s:
            self._is_dead = False
            raise ConnectionError("the process dies here")
        self._queues.send_work(message, delay_s=delay_s)


def test_a_request_that_is_repeated_after_a_crash_finds_the_same_run() -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("wait")
        replace_services(kit, queues=_Dying(kit.platform.services.queues))
        with pytest.raises(ConnectionError):
            send(kit, data={"n": 1})
        assert kit.only_run().status == "Running"

        assert send(kit, data={"n": 2}) is None
        assert kit.only_run().output == ["order-1", {"n": 1}]


def test_the_same_one_repeated_is_told_the_run() -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("wait")
        replace_services(kit, queues=_Dying(kit.platform.services.queues))
        with pytest.raises(ConnectionError):
            send(kit, data={"n": 1})

        assert send(kit, data={"n": 1}) == kit.only_run().run_id
        assert (kit.only_run().output, kit.counts["WaitsMatched"]) == (["order-1", {"n": 1}], 1)


def test_a_step_that_sends_again_resumes_nobody_else() -> None:
    """Its message comes back though it has done its work: its process died before that was recorded."""
    with start_stepwell([waiter, sender]) as kit:
        kit.send("wait")
        first = kit.only_run("waiter")
        run_id, step_id = "01KE0000000000000000000000", "a" * 40
        for _ in range(2):
            assert signals.step_sender(kit.platform.services, run_id, step_id, "order-1", 1) == first.run_id
            kit.drain()
        assert kit.only_run("waiter").output == ["order-1", 1]
        kit.send("wait")

        assert signals.step_sender(kit.platform.services, run_id, step_id, "order-1", 1) == first.run_id
        assert runs(kit)[1].status == "Running"


def test_two_steps_of_a_run_that_wait_side_by_side() -> None:
    @function(fn_id="pair", trigger=TriggerEvent(event="go"))
    def pair(ctx: Context) -> Any:
        _, right = ctx.group.parallel(
            (
                lambda: ctx.step.wait_for_signal("left", signal="a", timeout="1h"),
                lambda: ctx.step.wait_for_signal("right", signal="b", timeout="1h"),
            )
        )
        return None if right is None else right.data

    with start_stepwell([pair]) as kit:
        kit.send("go")
        assert send(kit, "b", "right") == send(kit, "a", "left")

        assert kit.only_run().output == "right"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"signal": ""}, "step 'approval': `signal` must be a text that is not empty"),
        ({"signal": "x" * 513}, "step 'approval': `signal` has 513 characters; at most 512 are allowed"),
        ({"for": "400d"}, "timeout is longer than"),
        ({"on_conflict": "wait"}, "on_conflict must be 'fail' or 'replace', not 'wait'"),
    ],
)
def test_waits_that_cannot_be(options: dict[str, str], said: str) -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("wait", options)

        run = kit.only_run()
        assert (run.status, said in (run.error or "")) == ("Failed", True), run.error


@pytest.mark.parametrize(
    ("data", "said"), [("x" * 4_194_305, "at most 4,194,304"), (object(), "the signal's data is not JSON")]
)
def test_data_that_cannot_be_sent(data: object, said: str) -> None:
    @function(fn_id="bad", trigger=TriggerEvent(event="go"))
    def bad(ctx: Context) -> Any:
        return ctx.step.send_signal("tell", signal="order-1", data=data)

    with start_stepwell([bad]) as kit:
        kit.send("go")

        run = kit.only_run()
        assert (run.status, run.steps["tell"].attempts, said in (run.error or "")) == ("Failed", 1, True), run.error


def test_what_the_api_refuses() -> None:
    with start_stepwell([waiter]) as kit:
        for name in ("", 7, None, "x" * 513, "\ud800"):
            with pytest.raises(InvalidSignal, match="`signal`"):
                signals.send(kit.platform.services, name, None)
        with pytest.raises(LimitExceeded, match="4,194,304"):
            signals.send(kit.platform.services, "a", "x" * 4_194_304)


def test_a_large_signal_comes_whole() -> None:
    large = "ä" * 100_000
    with start_stepwell([waiter]) as kit:
        kit.send("wait")
        send(kit, data=large)

        assert kit.only_run().output == ["order-1", large]
