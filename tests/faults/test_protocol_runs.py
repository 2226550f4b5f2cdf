"""Holes in the protocol that were closed: runs that lost their way, their kind of step, their time or their records."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.core import limits
from chalicelib.core.messages import TurnMessage
from chalicelib.core.runs import Owner, Reason, Run, RunHead, RunSeed, RunStatus, overdue
from chalicelib.sdk import Context, Function, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell

_OWNER = Owner(message_id="m", nonce="n")


def _load(kit: Stepwell) -> Run:
    found = kit.platform.services.runs.load(kit.only_run().run_id)
    assert found is not None
    return found


def _send_turn(kit: Stepwell) -> None:
    kit.platform.services.queues.send_work(TurnMessage(run_id=kit.only_run().run_id))


def test_a_run_that_waits_for_nothing_is_overdue() -> None:
    seed = RunSeed(
        run_id="r", fn_id="f", event_id="e", event_name="go", trigger_received_at_us=0, created_at_ms=0, invoker=None
    )
    head = RunHead(seed=seed, begun_at_ms=limits.DAY_MS, expires_at_s=0)
    soon, late = limits.DAY_MS + limits.MINUTE_MS, limits.DAY_MS + limits.HOUR_MS
    assert overdue(head, soon) is None
    assert overdue(head, late) is Reason.STANDS_STILL
    assert overdue(head.model_copy(update={"wake_at_ms": late}), late) is None
    assert overdue(head.model_copy(update={"poked_at_ms": soon}), late) is None


def test_a_run_that_waits_for_nothing_is_poked() -> None:
    @function(fn_id="sleeper", trigger=TriggerEvent(event="go"))
    def sleeper(ctx: Context) -> str:
        ctx.step.sleep("nap", "1h")
        return "rested"

    with start_stepwell([sleeper]) as kit:
        kit.send("go")
        runs, run_id, now = kit.platform.services.runs, kit.only_run().run_id, kit.platform.clock.now_ms()
        # As a turn left it that had nothing to wait for. Its timer is lost, too: the clock passes it without a tick.
        runs.take_lease(run_id, _OWNER, until_ms=now + limits.MINUTE_MS, now_ms=now)
        assert runs.release(run_id, _OWNER, version=None, wake_at_ms=None) is None
        assert _load(kit).head.wake_at_ms is None
        kit.advance_only("2h")
        kit.collect()
        assert kit.only_run().output == "rested"


def test_a_result_that_was_put_while_a_long_sleep_was_registered_is_kept_as_long() -> None:
    """The planned step's handler loaded the run before the sleep had extended it."""

    @function(fn_id="long", trigger=TriggerEvent(event="go"))
    def long(ctx: Context) -> Any:
        def after_b() -> str:
            ctx.step.run("b", lambda: 1)
            ctx.step.sleep("far", "200d")
            return "rested"

        # While `a` runs, other processes run `b` and register the sleep.
        return ctx.group.parallel((lambda: ctx.step.run("a", kit.drain), after_b))

    with start_stepwell([long]) as kit:
        kit.send_only("go")
        kit.pump.deliver_event()
        kit.pump.deliver_work()
        kit.pump.deliver_work()
        assert list(kit.only_run().steps) == ["a", "b", "far"]
        kit.drain()
        run = _load(kit)
        end_s = (kit.platform.clock.now_ms() + timedelta(days=200) // timedelta(milliseconds=1)) // 1000
        assert run.head.expires_at_s >= end_s
        assert {step.plan.name: step.expires_at_s for step in run.steps.values()} == dict.fromkeys(
            ["a", "b", "far"], run.head.expires_at_s
        )


def test_a_planned_step_that_the_function_never_comes_to_again_ends_in_words() -> None:
    entered: list[int] = []

    @function(fn_id="lost", trigger=TriggerEvent(event="go"), retries=1)
    def lost(ctx: Context) -> Any:
        entered.append(1)
        # The turns come to the step, but neither of its two attempts does.
        if len(entered) in (1, 4):
            return ctx.group.parallel((lambda: ctx.step.run("a", lambda: 1),))
        return "elsewhere"

    with start_stepwell([lost]) as kit:
        kit.send("go")
        assert kit.only_run().steps["a"].status == "retrying"
        kit.advance("1h")
        run = kit.only_run()
        assert run.status is RunStatus.FAILED
        assert run.error is not None
        assert "did not come to this step again" in run.error
        assert (run.steps["a"].status, run.steps["a"].attempts) == ("failed", 2)


def _fail() -> None:
    raise ValueError("not this time")


@function(fn_id="changing", trigger=TriggerEvent(event="go"))
def runs_a(ctx: Context) -> str:
    ctx.step.run("a", _fail)
    return "never"


@function(fn_id="changing", trigger=TriggerEvent(event="go"))
def sleeps_a(ctx: Context) -> str:
    ctx.step.sleep("a", "10m")
    return "rested"


@function(fn_id="changing", trigger=TriggerEvent(event="go"))
def waits_a(ctx: Context) -> Any:
    found = ctx.step.wait_for_event("a", event="answer", timeout="10m")
    return "timed out" if found is None else "answered"


@pytest.mark.parametrize(("after", "output"), [(sleeps_a, "rested"), (waits_a, "timed out")])
def test_a_retried_step_may_become_a_sleep_or_a_wait(after: Function[Any], output: str) -> None:
    with start_stepwell([runs_a]) as kit:
        kit.send("go")
        assert kit.only_run().steps["a"].status == "retrying"
        kit.deploy([after])
        kit.advance("1m")
        assert kit.only_run().steps["a"].status == "waiting"
        kit.advance("10m")
        assert kit.only_run().output == output


@pytest.mark.parametrize("before", [sleeps_a, waits_a])
def test_a_wait_that_becomes_a_run_fails_the_run_in_words(before: Function[Any]) -> None:
    with start_stepwell([before]) as kit:
        kit.send("go")
        kit.deploy([runs_a])
        _send_turn(kit)
        kit.drain()
        run = kit.only_run()
        assert run.status is RunStatus.FAILED
        assert run.error is not None
        assert "the code changed" in run.error


def test_no_step_begins_with_little_time_left_though_news_keep_coming() -> None:
    entered: list[int] = []
    ran: list[int] = []

    @function(fn_id="busy", trigger=TriggerEvent(event="go"))
    def busy(ctx: Context) -> str:
        entered.append(1)
        # The turn's first two entries take nearly all of its time, and news come during both: first a copy of the
        # turn, then the end of the planned step (whose own entry is the third).
        if len(entered) <= 2:
            kit.advance_only("54s")
            _send_turn(kit)
            kit.drain()
        ctx.group.parallel((lambda: ctx.step.run("beside", lambda: 1),))
        ctx.step.run("after", ran.append, 1)
        return "done"

    with start_stepwell([busy], remaining_ms=120_000) as kit:
        kit.send_only("go")
        kit.pump.deliver_event()
        kit.pump.deliver_work()
        assert len(entered) == 3
        assert kit.only_run().steps["beside"].status == "completed"
        assert ran == []
        assert kit.pump.visible() == 1
        kit.drain()
        assert ran == [1]
        assert kit.only_run().output == "done"
