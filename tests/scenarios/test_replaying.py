"""A run is replayed: from its start, or from a step with what had ended before."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.messages import TurnMessage
from chalicelib.core.replays import InvalidReplay
from chalicelib.engine import query, replays
from chalicelib.sdk import (
    Cancel,
    Concurrency,
    Context,
    NonRetriableError,
    RateLimit,
    StepError,
    Throttle,
    TriggerEvent,
    function,
)
from chalicelib.testing import Stepwell, start_stepwell
from chalicelib.testing.kit import RunView
from tests import apps
from tests.apps import App, AppFunction, Story

EXECUTED: Counter[str] = Counter()
BROKEN: list[bool] = []


@pytest.fixture(autouse=True)
def _anew() -> None:
    EXECUTED.clear()
    BROKEN[:] = [True]


def work(ctx: Context, name: str, result: Any = None) -> Any:
    def step() -> Any:
        EXECUTED[name] += 1
        return result if result is not None else f"{name} {EXECUTED[name]}"

    return ctx.step.run(name, step)


def replay(kit: Stepwell, run: RunView, from_step: str | None = None) -> RunView:
    head = replays.replay(kit.platform.services, run.run_id, from_step)
    kit.drain()
    return kit.run(head.run_id)


def last_step(ctx: Context, name: str) -> Any:
    def step() -> str:
        EXECUTED[name] += 1
        if BROKEN[0]:
            raise NonRetriableError("the partner is down")
        return f"{name} {EXECUTED[name]}"

    return ctx.step.run(name, step)


@function(fn_id="order", trigger=TriggerEvent(event="order"), cancel=Cancel(event="order.stopped"))
def order(ctx: Context) -> Any:
    charged = work(ctx, "charge", "c" * 50_000 if ctx.event.data.get("large") else None)
    try:
        ctx.step.run("hopeless", _fail)
    except StepError as error:
        charged = [charged, error.message]
    ctx.step.sleep("a-while", "1h")
    paid = ctx.step.wait_for_event("paid", event="paid", timeout="1d")
    asked = ctx.step.invoke("ask", function=helper)
    return [charged, paid and paid.data, asked, last_step(ctx, "ship")]


def _fail() -> None:
    EXECUTED["hopeless"] += 1
    raise NonRetriableError("no")


@function(fn_id="helper", trigger=TriggerEvent(event="help"))
def helper(ctx: Context) -> Any:
    return work(ctx, "helped")


def failed_order(kit: Stepwell, **data: Any) -> RunView:
    kit.send("order", data)
    kit.advance("2h")
    kit.send("paid", {"by": "Ada"})
    run = kit.runs("order")[0]
    assert (run.status, run.error) == ("Failed", "the partner is down")
    return run


def test_from_its_start_everything_is_executed_again() -> None:
    with start_stepwell([order, helper]) as kit:
        run = failed_order(kit)
        BROKEN[:] = [False]

        again = replay(kit, run)

        assert (again.status, again.function_id) == ("Running", "order")
        kit.advance("2h")
        kit.send("paid", {"by": "Bob"})
        again = kit.run(again.run_id)
        assert again.output == [["charge 2", "no"], {"by": "Bob"}, "helped 2", "ship 2"]
        assert kit.run(run.run_id).status == "Failed"
        assert [one.run_id for one in kit.runs("order")] == [run.run_id, again.run_id]


@pytest.mark.parametrize("large", [False, True])
def test_from_a_step_with_what_had_ended_before(large: bool) -> None:
    with start_stepwell([order, helper]) as kit:
        run = failed_order(kit, large=large)
        before = EXECUTED.copy()
        BROKEN[:] = [False]

        again = replay(kit, run, "ship")

        # The sleep, the wait and the invocation are not repeated either: it has ended at once.
        charged = "c" * 50_000 if large else "charge 1"
        assert again.output == [[charged, "no"], {"by": "Ada"}, "helped 1", "ship 2"]
        assert EXECUTED - before == {"ship": 1}
        assert again.history == [
            "run.created",
            *["step.copied"] * 5,
            "run.started",
            "step.completed",
            "run.completed",
        ]
        assert len(kit.runs("helper")) == 1


def test_both_timelines_tell_of_it() -> None:
    with start_stepwell([order, helper]) as kit:
        run = failed_order(kit)
        BROKEN[:] = [False]

        again = replay(kit, run, "ship")

        services = kit.platform.services
        head = services.runs.head(again.run_id)
        assert head is not None
        assert head.wire()["original_run_id"] == run.run_id
        assert again.timeline[0]["original_run_id"] == run.run_id
        assert query.run_timeline(services, run.run_id)[-1] == {
            "at": again.timeline[0]["at"],
            "type": "run.replayed",
            "run_id": again.run_id,
        }
        copied = [entry for entry in again.timeline if entry["type"] == "step.copied"]
        assert [entry["error"]["message"] for entry in copied if "error" in entry] == ["no"]


def test_a_step_is_named_or_given_by_its_id() -> None:
    @function(fn_id="twice", trigger=TriggerEvent(event="twice"))
    def twice(ctx: Context) -> list[str]:
        return [work(ctx, "same"), work(ctx, "same"), work(ctx, "same")]

    with start_stepwell([twice]) as kit:
        kit.send("twice")
        run = kit.only_run()
        assert run.output == ["same 1", "same 2", "same 3"]

        assert replay(kit, run, "same:1").output == ["same 1", "same 4", "same 5"]
        step_id = str(run.timeline[-2]["step_id"])
        assert replay(kit, run, step_id).output == ["same 1", "same 2", "same 6"]
        assert replay(kit, run, "same").output == ["same 7", "same 8", "same 9"]
        with pytest.raises(InvalidReplay, match="the run has no step 'other'; its first are same"):
            replay(kit, run, "other")


def test_from_a_step_that_had_not_ended_all_others_are_kept() -> None:
    with start_stepwell([order, helper]) as kit:
        kit.send("order")
        kit.advance("2h")
        run = kit.only_run()
        kit.cancel(run.run_id)

        again = replay(kit, run, "paid")

        assert [step.status for step in again.steps.values()] == ["completed", "failed", "completed", "waiting"]
        assert EXECUTED == {"charge": 1, "hopeless": 1}


def test_an_open_run_is_left_to_itself() -> None:
    with start_stepwell([order, helper]) as kit:
        BROKEN[:] = [False]
        kit.send("order")
        run = kit.only_run()

        again = replay(kit, run)

        kit.advance("2h")
        kit.send("paid", {"by": "both"})
        assert [one.status for one in kit.runs("order")] == ["Completed"] * 2
        assert again.run_id != run.run_id


def test_a_replay_can_be_replayed() -> None:
    with start_stepwell([order, helper]) as kit:
        run = failed_order(kit)
        second = replay(kit, run, "ship")
        assert second.status == "Failed"
        BROKEN[:] = [False]

        third = replay(kit, second, "ship")

        assert third.output == [["charge 1", "no"], {"by": "Ada"}, "helped 1", "ship 3"]
        assert third.timeline[0]["original_run_id"] == second.run_id


def test_what_cancels_it_must_come_after_it_was_made() -> None:
    with start_stepwell([order, helper]) as kit:
        kit.send("order")
        kit.send("order.stopped")
        run = kit.only_run()
        assert run.status == "Cancelled"
        kit.advance_only("1h")

        again = replay(kit, run)

        assert again.status == "Running"
        kit.send("order.stopped")
        assert kit.run(again.run_id).status == "Cancelled"


def test_what_cancels_it_while_it_is_being_made_is_found() -> None:
    with start_stepwell([order, helper]) as kit:
        kit.send("order")
        run = kit.only_run()
        services = kit.platform.services
        create = services.runs.create

        def stopped_meanwhile(*args: Any, **more: Any) -> Any:
            kit.platform.services.runs.create = create  # type: ignore[method-assign]
            kit.send("order.stopped")
            return create(*args, **more)

        services.runs.create = stopped_meanwhile  # type: ignore[method-assign]

        again = replay(kit, run)

        assert [kit.run(run_id).status for run_id in (run.run_id, again.run_id)] == ["Cancelled"] * 2


def test_only_places_are_limited() -> None:
    @function(
        fn_id="limited",
        trigger=TriggerEvent(event="limited"),
        concurrency=[Concurrency(limit=1)],
        rate_limit=RateLimit(limit=1, period="1h"),
        throttle=Throttle(limit=1, period="1h"),
    )
    def limited(ctx: Context) -> Any:
        return work(ctx, "one")

    with start_stepwell([limited]) as kit:
        kit.send("limited")
        run = kit.only_run()

        again = replay(kit, run)

        assert again.output == "one 2"
        head = kit.platform.services.runs.head(again.run_id)
        assert head is not None
        assert head.seed.not_before_ms is None
        kit.send("limited")
        assert len(kit.runs()) == 2


def test_a_function_that_is_gone() -> None:
    with start_stepwell([order, helper]) as kit:
        run = failed_order(kit)
        kit.deploy([helper])

        with pytest.raises(Conflict, match="the function 'order' is no more"):
            replay(kit, run)
        with pytest.raises(NotFound):
            replays.replay(kit.platform.services, "01KE6P4YM1NBW735SCXHPH8H4V", None)


def test_a_replay_whose_turn_was_never_sent_is_found() -> None:
    with start_stepwell([order, helper]) as kit:
        run = failed_order(kit)
        BROKEN[:] = [False]
        head = replays.replay(kit.platform.services, run.run_id, "ship")
        kit.pump.lose("work", kit.pump.hold("work"))
        kit.drain()
        assert kit.run(head.run_id).status == "Queued"

        kit.advance_only("20m")
        kit.collect()

        assert kit.run(head.run_id).status == "Completed"


def test_repeating_it_under_one_id_changes_nothing() -> None:
    with start_stepwell([order, helper]) as kit:
        run = failed_order(kit)
        BROKEN[:] = [False]
        services = kit.platform.services
        loaded = services.runs.load(run.run_id)
        assert loaded is not None
        head = replays.replay(services, run.run_id, None)

        for _ in range(2):
            replays.begin(services, loaded.head.seed, loaded.events, head.run_id, services.clock.now_ms())
            kit.drain()

        assert len(kit.runs("order")) == 2
        assert EXECUTED["charge"] == 2


def test_steps_side_by_side_keep_the_order_in_which_an_app_was_told_of_them() -> None:
    """Whoever won a race stays the winner."""

    def racing(_: Any) -> Story:
        def slow() -> Story:
            return (yield apps.wait("slow", "never", timeout_ms=1))

        def fast() -> Story:
            return (yield apps.run("fast", "fast"))

        number, first = yield apps.race(fast(), slow())
        return [number, first, (yield apps.run("after", "after"))]

    with start_stepwell([]) as kit:
        served = apps.serve(kit.platform.services, App([AppFunction("racing", "race", racing)]))
        for name, value in served.items():
            object.__setattr__(kit.platform.services, name, value)
        kit.send("race")
        kit.advance("1m")
        run = kit.only_run("racing")
        assert run.output[:2] == [0, "fast"]
        loaded = kit.platform.services.runs.load(run.run_id)
        assert loaded is not None

        again = replay(kit, run, "after")

        copied = kit.platform.services.runs.load(again.run_id)
        assert copied is not None
        places = {key: step.place for key, step in loaded.steps.items() if step.place is not None}
        assert places
        assert {key: step.place for key, step in copied.steps.items() if step.place is not None} == places
        assert again.output == run.output


def test_a_turn_that_comes_again_does_no_harm() -> None:
    with start_stepwell([order, helper]) as kit:
        run = failed_order(kit)
        BROKEN[:] = [False]
        again = replay(kit, run, "ship")
        kit.platform.services.queues.send_work(TurnMessage(run_id=again.run_id))
        kit.drain()
        assert EXECUTED["ship"] == 2
