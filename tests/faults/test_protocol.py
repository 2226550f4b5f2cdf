"""Holes in the protocol that were closed: processes that die or overtake each other at one particular call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from chalicelib.core import ids, limits, timers
from chalicelib.core.messages import TurnMessage
from chalicelib.core.runs import Owner, Run, RunStatus
from chalicelib.engine import tick
from chalicelib.sdk import Context, TriggerEvent, function
from tests.faults import observe
from tests.faults.conftest import MakeWorld
from tests.faults.injector import Answer, Call, Rule
from tests.faults.scenarios import (
    SETTINGS,
    USER,
    asleep,
    cancellable,
    fail_first,
    run,
    waiter,
    work,
    world_now,
)
from tests.faults.world import World

_STARTS = limits.MAX_STARTS_WITHOUT_PROGRESS


@function(fn_id="dies-before-sleep", trigger=TriggerEvent(event="t/dies"))
def dies_before_sleep(ctx: Context) -> str:
    _die_often(ctx)
    ctx.step.sleep("nap", "10m")
    return str(run(ctx, "after"))


@function(fn_id="dies-before-wait", trigger=TriggerEvent(event="t/dies"))
def dies_before_wait(ctx: Context) -> str:
    _die_often(ctx)
    ctx.step.wait_for_event("the-wait", event="t/answer", timeout="20d")
    return str(run(ctx, "after"))


@function(fn_id="flaky-beside", trigger=TriggerEvent(event="t/flaky-beside"))
def flaky_beside(ctx: Context) -> Any:
    return ctx.group.parallel((lambda: ctx.step.run("flaky", fail_first, ctx, "flaky"),))


def _die_often(ctx: Context) -> None:
    work(ctx, "outside")
    if world_now().executions[ctx.run_id, "outside"] <= _STARTS:
        world_now().die()


def _once(matches: Callable[[Call], bool], act: Callable[[], object], *, skip: int = 0) -> Rule:
    """Act before the first call that matches, after `skip` of them; then, if alive, the call is carried out."""
    seen: list[str] = []

    def rule(call: Call, _: Answer) -> AWSResponse | None:
        if matches(call):
            seen.append(call.name)
            if len(seen) == skip + 1:
                act()
        return None

    return rule


def _sends_work(call: Call) -> bool:
    return call.operation.startswith("SendMessage") and "QueueUrl" in call.body and "work" in call.body["QueueUrl"]


def _reads(table: str) -> Callable[[Call], bool]:
    return lambda call: call.operation == "Query" and call.body["TableName"] == f"stepwell-test-{table}"


def _updates(text: str) -> Callable[[Call], bool]:
    return lambda call: call.operation == "UpdateItem" and text in call.body["UpdateExpression"]


def _only(world: World) -> Run:
    (found,) = observe.load_runs(world).values()
    return found


def _at_rest(world: World) -> None:
    world.finish()
    assert observe.problems(world) == []


def test_a_resumed_wait_gets_its_turn_though_another_event_comes_between(make_world: MakeWorld) -> None:
    """The first event's process dies when the wait has ended and its turn is not sent; the second event finds the
    wait ended and takes its traces away, so that the first one's redelivery cannot find it."""
    world = make_world(waiter)
    world.send("t/wait", USER)
    world.advance("10s")
    world.accept("t/answer", {**USER, "n": 1})
    world.injector.rules.append(_once(_sends_work, world.die))
    world.deliver("events")
    assert world.crashes == 1
    world.accept("t/answer", {**USER, "n": 2})
    world.settle()
    ending = _only(world).head.ending
    assert ending is not None
    assert (ending.status, ending.output) == (RunStatus.COMPLETED, {**USER, "n": 1})
    _at_rest(world)


@pytest.mark.parametrize("fn", [dies_before_sleep, dies_before_wait])
def test_turns_that_die_before_a_sleep_or_wait_do_not_keep_it_from_being_registered(
    make_world: MakeWorld, fn: Any
) -> None:
    world = make_world(fn)
    world.send("t/dies", USER)
    assert world.crashes == _STARTS
    (step,) = _only(world).steps.values()
    assert step.wake_at_ms is not None
    assert _only(world).head.wake_at_ms == step.wake_at_ms
    world.advance("1m")
    world.send("t/answer", USER)
    world.advance("10m")
    ending = _only(world).head.ending
    assert ending is not None
    assert (ending.status, ending.output) == (RunStatus.COMPLETED, "after done")
    _at_rest(world)


def test_a_run_that_never_began_looks_back_for_what_cancelled_it(make_world: MakeWorld) -> None:
    """Its start's delivery created it and died before looking back; then the start's message is lost."""
    world = make_world(cancellable)
    world.accept("t/cancellable", USER)
    world.emulator.hold_messages()
    world.send("t/stop", USER)
    world.emulator.release_messages()
    world.injector.rules.append(_once(_reads("events"), world.die))
    world.deliver("events")
    assert world.crashes == 1
    world.emulator.take_event()
    world.settle()
    assert _only(world).head.begun_at_ms is None
    world.advance("20m")
    world.collect()
    assert _only(world).head.status is RunStatus.CANCELLED
    assert not world.executions
    _at_rest(world)


def test_a_redelivered_event_settles_only_what_is_not_settled(make_world: MakeWorld) -> None:
    """One event cancels two runs, and its process dies before the second one is settled."""
    world = make_world(cancellable)
    for _ in range(2):
        world.send("t/cancellable", USER)
        world.advance("1s")
    world.accept("t/stop", USER)
    world.injector.rules.append(_once(_updates("SET settled"), world.die, skip=1))
    world.deliver("events")
    assert world.crashes == 1
    (left,) = (run_id for run_id, found in observe.load_runs(world).items() if not found.head.settled)
    world.drain()  # What the first one's end told, too, reads its run.
    assert _runs_loaded_by(world, world.settle) == {left}
    again = next(body for kind, body in reversed(world.acknowledged) if kind == "events" and '"t/stop"' in body)
    world.put_message("events", again)
    assert _runs_loaded_by(world, world.settle) == set()
    _at_rest(world)


def _runs_loaded_by(world: World, act: Callable[[], object]) -> set[str]:
    """The runs of which everything was read meanwhile."""
    loaded: set[str] = set()

    def rule(call: Call, _: Answer) -> AWSResponse | None:
        if _reads("runs")(call) and "IndexName" not in call.body:
            loaded.update(value["S"] for value in call.body["ExpressionAttributeValues"].values())
        return None

    world.injector.rules.append(rule)
    act()
    world.injector.rules.remove(rule)
    return loaded & observe.load_runs(world).keys()


def test_a_sweep_that_runs_out_of_time_passes_no_bucket_that_it_has_not_read(make_world: MakeWorld) -> None:
    """The invocation's time is over when three of an old bucket's four shards have been read; the fourth holds a
    forgotten timer."""
    world = make_world(asleep)
    now, old = world.now_ms, world.now_ms - 3 * limits.HOUR_MS
    run_id = next(name for name in map(str, range(100)) if ids.shard_of(name, timers.SHARDS) == timers.SHARDS - 1)
    s = world.platform.services
    s.timers.put(old, TurnMessage(run_id=run_id, due_ms=old))
    s.timers.set_mark(tick.TIMER_MARK, str(timers.bucket_of(old)))
    late = _once(_reads("timers"), lambda: world.emulator.move_to(now + 60_000), skip=timers.SHARDS - 2)
    world.injector.rules.append(late)
    moved: list[int] = []
    world.invoke(lambda p: moved.append(tick.move_timers(p.services, now + 60_000)))
    assert s.timers.get_mark(tick.TIMER_MARK) == str(timers.bucket_of(old))
    world.invoke(lambda p: moved.append(tick.move_timers(p.services, world.now_ms + 60_000)))
    assert moved == [0, 1]


def test_news_do_not_go_back_in_time(make_world: MakeWorld) -> None:
    world = make_world(asleep)
    world.send("t/sleep", {"for": "1h"})
    run_id, runs, now = _only(world).head.run_id, world.platform.services.runs, world.now_ms
    _, head = runs.take_lease(run_id, Owner(message_id="m", nonce="n"), until_ms=now + limits.MINUTE_MS, now_ms=now)
    assert head is not None
    for version, clock_ms in enumerate((now + 5_000, now + 100), start=head.version + 1):
        assert runs.poke(run_id, clock_ms)
        found = runs.head(run_id)
        assert found is not None
        assert (found.news_at_ms, found.version) == (now + 5_000, version)
    assert not runs.poke(run_id, now + 2 * limits.MINUTE_MS)


def test_a_copy_of_a_planned_attempt_does_not_make_the_next_one_at_once(make_world: MakeWorld) -> None:
    """The copy has read the run before the first attempt's failure is recorded, and takes the lease after it."""
    world = make_world(flaky_beside, settings=SETTINGS)
    world.accept("t/flaky-beside", USER)
    world.deliver("events")
    world.deliver("work")
    (message,) = world.emulator.messages("stepwell-test-work")
    world.put_message("work", message.body)
    first = _once(_updates("if_not_exists(pl, :plan)"), lambda: world.deliver("work"))
    world.injector.rules.append(first)
    world.deliver("work")
    (step,) = _only(world).steps.values()
    assert step.failures == 1
    assert set(world.executions.values()) == {1}
    world.advance("9m")
    assert set(world.executions.values()) == {1}
    world.advance("2m")
    assert set(world.executions.values()) == {2}
    assert _only(world).head.status is RunStatus.COMPLETED
    _at_rest(world)
