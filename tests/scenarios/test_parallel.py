"""Steps side by side."""

from __future__ import annotations

from functools import partial
from typing import Any

from chalicelib.sdk import AsyncContext, Context, NonRetriableError, StepError, TriggerEvent, function
from chalicelib.testing import start_stepwell


def test_each_runs_once_in_an_invocation_of_its_own() -> None:
    calls = []

    def work(n: int) -> int:
        calls.append(n)
        return n * n

    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> list[int]:
        before = ctx.step.run("before", lambda: 10)
        squares = ctx.group.parallel(tuple(partial(ctx.step.run, f"square-{n}", work, n) for n in range(5)))
        return [ctx.step.run("after", lambda: before + sum(squares))]

    with start_stepwell([job]) as kit:
        kit.send("go")

        run = kit.only_run()
        assert run.output == [40]
        assert sorted(calls) == list(range(5))
        assert run.history.count("step.planned") == 5
        assert list(run.steps) == ["before", *(f"square-{n}" for n in range(5)), "after"]


def test_one_fails_and_is_tried_again_while_the_others_are_done() -> None:
    tries = []

    def flaky() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("not yet")
        return "at last"

    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> Any:
        return ctx.group.parallel(
            (lambda: ctx.step.run("flaky", flaky), lambda: ctx.step.run("steady", lambda: "at once"))
        )

    with start_stepwell([job]) as kit:
        kit.send("go")
        run = kit.only_run()
        assert (run.steps["steady"].status, run.steps["flaky"].status) == ("completed", "retrying")
        kit.advance("14s")
        assert len(tries) == 1
        kit.advance("2s")
        assert len(tries) == 2
        kit.advance("30s")

        run = kit.only_run()
        assert run.output == ["at last", "at once"]
        assert run.steps["flaky"].attempts == 3


def test_one_fails_for_good_when_all_have_ended() -> None:
    done: list[object] = []

    def fail() -> None:
        raise NonRetriableError("broken")

    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> Any:
        try:
            return ctx.group.parallel(  # type: ignore[call-overload,misc,unused-ignore]
                (
                    lambda: ctx.step.run("bad", lambda: fail()),
                    lambda: ctx.step.sleep("slow", "1h"),
                    lambda: ctx.step.run("good", lambda: done.append(1)),
                )
            )
        except StepError as error:
            return f"caught {error.message}"

    with start_stepwell([job]) as kit:
        kit.send("go")
        assert kit.only_run().status == "Running"
        assert done == [1]
        kit.advance("1h")

        assert kit.only_run().output == "caught broken"


def test_all_attempts_of_a_parallel_step_are_used_and_then_the_run_fails() -> None:
    def fail() -> None:
        raise ValueError("always")

    @function(fn_id="job", trigger=TriggerEvent(event="go"), retries=2)
    def job(ctx: Context) -> Any:
        return ctx.group.parallel((lambda: ctx.step.run("bad", fail), lambda: ctx.step.run("ok", lambda: 1)))

    with start_stepwell([job]) as kit:
        kit.send("go")
        kit.advance("10m")

        run = kit.only_run()
        assert (run.status, run.error, run.steps["bad"].attempts) == ("Failed", "always", 3)


def test_waiting_sleeping_and_running_side_by_side() -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> Any:
        answer, _, made = ctx.group.parallel(
            (
                lambda: ctx.step.wait_for_event("wait", event="answer", timeout="1h"),
                lambda: ctx.step.sleep("nap", "10m"),
                lambda: ctx.step.run("make", lambda: "made"),
            )
        )
        return [answer is not None, made]

    with start_stepwell([job]) as kit:
        kit.send("go")
        kit.send("answer")
        run = kit.only_run()
        assert (run.steps["wait"].status, run.steps["nap"].status) == ("completed", "waiting")
        kit.advance("10m")
        assert kit.only_run().output == [True, "made"]

        kit.send("go")
        kit.advance("2h")
        assert kit.runs()[-1].output == [False, "made"]


def test_sequences_within_a_group_do_not_wait_for_each_other() -> None:
    order: list[str] = []

    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> Any:
        def sequence(name: str, nap: str) -> str:
            ctx.step.run(f"{name}-1", order.append, f"{name}-1")
            ctx.step.sleep(f"{name}-nap", nap)
            ctx.step.run(f"{name}-2", order.append, f"{name}-2")
            return name

        return ctx.group.parallel((lambda: sequence("slow", "1h"), lambda: sequence("fast", "1m")))

    with start_stepwell([job]) as kit:
        kit.send("go")
        kit.advance("2m")
        assert sorted(order) == ["fast-1", "fast-2", "slow-1"]
        kit.advance("1h")

        assert kit.only_run().output == ["slow", "fast"]
        assert len(order) == 4


def test_groups_within_groups() -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> Any:
        def inner(name: str) -> Any:
            return ctx.group.parallel(tuple(partial(ctx.step.run, f"{name}-{n}", str, f"{name}{n}") for n in range(2)))

        return ctx.group.parallel((partial(inner, "a"), partial(inner, "b")))

    with start_stepwell([job]) as kit:
        kit.send("go")

        assert kit.only_run().output == [["a0", "a1"], ["b0", "b1"]]


def test_in_an_asynchronous_function() -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    async def job(ctx: AsyncContext) -> Any:
        async def square(n: int) -> int:
            return n * n

        first = await ctx.step.run("first", square, 3)
        found = await ctx.group.parallel((lambda: ctx.step.run("a", square, first), lambda: ctx.step.sleep("b", "1s")))
        return list(found)

    with start_stepwell([job]) as kit:
        kit.send("go")
        kit.advance("1s")

        assert kit.only_run().output == [81, None]


def test_an_empty_group_and_a_group_of_one() -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> Any:
        nothing: tuple[int, ...] = ctx.group.parallel(())
        return [list(nothing), ctx.group.parallel((lambda: ctx.step.run("one", lambda: 1),))]

    with start_stepwell([job]) as kit:
        kit.send("go")

        assert kit.only_run().output == [[], [1]]


def test_two_waits_for_one_event_side_by_side() -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> Any:
        found = ctx.group.parallel(
            (
                lambda: ctx.step.wait_for_event("any", event="answer", timeout="1h"),
                lambda: ctx.step.wait_for_event("mine", event="answer", if_exp="async.data.n == 1", timeout="1h"),
            )
        )
        return [event is not None for event in found]

    with start_stepwell([job]) as kit:
        kit.send("go")
        kit.send("answer", {"n": 1})
        kit.advance("2h")

        assert kit.only_run().output == [True, True]
