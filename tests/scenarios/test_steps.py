"""Steps: repeated ids, asynchronous functions, one invocation for many, and the limits."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.core import limits
from chalicelib.sdk import AsyncContext, Context, TriggerEvent, function
from chalicelib.testing import start_stepwell


def one_step(handler: Any) -> Any:
    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> Any:
        return ctx.step.run("work", handler)

    return job


def test_a_repeated_id_is_told_apart_by_counting() -> None:
    calls = itertools.count(1)

    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> list[int]:
        found = [ctx.step.run("same", lambda: next(calls)) for _ in range(3)]
        ctx.step.sleep("same", "1m")
        return [*found, ctx.step.run("same", lambda: next(calls))]

    with start_stepwell([job]) as kit:
        kit.send("go")
        kit.advance("1m")

        run = kit.only_run()
        assert run.output == [1, 2, 3, 4]
        assert list(run.steps) == ["same", "same:1", "same:2", "same:3", "same:4"]


def test_an_asynchronous_function() -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    async def job(ctx: AsyncContext) -> Any:
        async def double(n: int) -> int:
            return 2 * n

        first = await ctx.step.run("async", double, 4)
        second = await ctx.step.run("plain", str, first)
        await ctx.step.sleep("nap", "1h")
        event = await ctx.step.wait_for_event("wait", event="answer", timeout="1h")
        return [first, second, event]

    with start_stepwell([job]) as kit:
        kit.send("go")
        kit.advance("3h")

        assert kit.only_run().output == [8, "8", None]


def test_consecutive_steps_share_an_invocation() -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> list[int]:
        return [ctx.step.run(f"step-{n}", int, n) for n in range(20)]

    with start_stepwell([job]) as kit:
        kit.send("go")

        assert kit.only_run().output == list(range(20))
        assert kit.pump.deliveries == 3  # The event, one turn, and the event that tells its end.


def test_when_time_is_short_the_run_goes_on_in_another_invocation() -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> list[int]:
        return [ctx.step.run(f"step-{n}", int, n) for n in range(4)]

    with start_stepwell([job], remaining_ms=14_999) as kit:
        kit.send("go")

        assert kit.only_run().output == list(range(4))
        assert kit.pump.deliveries == 2 + 4 + 1  # A turn for each step, and one that returns.


def test_how_short_is_the_operators_choice() -> None:
    with start_stepwell([one_step(int)], remaining_ms=14_999, HAND_OVER_BELOW="10s") as kit:
        kit.send("go")

        assert kit.pump.deliveries == 3


class Point:
    """Something that JSON does not know."""


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (Point(), "result is of type Point"),
        ({"rows": [{"at": datetime(2026, 1, 1, tzinfo=UTC)}]}, "result.rows[0].at is of type datetime; return its iso"),
        ({1, 2}, "return a sorted list of it"),
        (b"x", "base64"),
        (float("nan"), "result is nan"),
        ([1, float("inf")], "result[1] is inf"),
        ({(1, 2): 3}, "use texts as keys"),
        ("\ud800", "half of a surrogate pair"),
        (CIRCLE, "contains itself"),
        ("x" * limits.MAX_STEP_OUTPUT_BYTES, "at most 4,194,304 are allowed: store it elsewhere"),
        (10**5000, "thousands of digits"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else type(value).__name__,
)
@pytest.mark.parametrize("place", ["step", "function"])
def test_what_cannot_be_kept_fails_for_good_and_says_where(output: Any, says: str, place: str) -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> Any:
        return ctx.step.run("work", lambda: output) if place == "step" else output

    with start_stepwell([job]) as kit:
        kit.send("go")

        run = kit.only_run()
        assert run.status == "Failed"
        assert says in str(run.error)
        assert ("the output of step 'work'" if place == "step" else "what function 'job' returned") in str(run.error)
        assert kit.pump.in_flight() == kit.pump.visible() == kit.pump.waiting() == 0


@pytest.mark.parametrize(
    "output",
    [
        None,
        "",
        0,
        False,
        [],
        {},
        "ü" * 20_000,
        {"a": [1, 2.5, None, True, "x", {"b": []}]},
        "x" * (limits.MAX_STEP_OUTPUT_BYTES - 2),
        10**30,
        "\x00\u2028",
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_kept_comes_back_as_it_was(output: Any) -> None:
    with start_stepwell([one_step(lambda: output)]) as kit:
        kit.send("go")

        run = kit.only_run()
        assert run.status == "Completed"
        assert run.output == output
        assert run.steps["work"].output == output


def test_too_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_STEPS", 12)
    ran: list[object] = []

    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> None:
        for n in range(ctx.event.data["steps"]):
            ctx.step.run(f"step-{n}", ran.append, n)

    with start_stepwell([job]) as kit:
        kit.send("go", {"steps": 12})
        assert kit.only_run().status == "Completed"
        kit.send("go", {"steps": 100})

        run = kit.runs()[-1]
        assert run.status == "Failed"
        assert run.error == "the run has more than 12 steps; split the work with step.invoke or events"
        assert len(ran) == 12 + 13


def test_too_much_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_RUN_STATE_BYTES", 10_000)

    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> None:
        for n in range(ctx.event.data["steps"]):
            ctx.step.run(f"step-{n}", lambda: "x" * 998)  # With its quotes, 1,000 bytes.

    with start_stepwell([job]) as kit:
        kit.send("go", {"steps": 10})
        assert kit.only_run().status == "Completed"
        kit.send("go", {"steps": 11})

        error = str(kit.runs()[-1].error)
        assert "the outputs of the run's steps have 11,000 bytes together; at most 10,000 are allowed" in error
        assert "return references" in error


def test_a_function_may_change_what_it_got() -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> Any:
        items: list[int] = ctx.step.run("list", lambda: [1])
        items.append(2)
        ctx.event.data["seen"] = True
        again: list[int] = ctx.step.run("again", lambda: [*items, 3])
        return [items, again, len(ctx.event.data)]

    with start_stepwell([job]) as kit:
        kit.send("go")

        run = kit.only_run()
        assert run.output == [[1, 2], [1, 2, 3], 1]
        assert run.steps["list"].output == [1]


@pytest.mark.parametrize(
    ("step_id", "says"),
    [("", "1 to 512 characters"), ("x" * 513, "this one has 513"), (7, "not int"), ("a\ud800", "surrogate")],
)
def test_ids_that_cannot_be_used(step_id: Any, says: str) -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> Any:
        return ctx.step.run(step_id, int)

    with start_stepwell([job]) as kit:
        kit.send("go")

        assert kit.only_run().status == "Failed"
        assert says in str(kit.only_run().error)
