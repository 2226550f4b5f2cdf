"""Functions that get in the way of suspension: swallowed, nested, in other threads and tasks."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.core.calls import Opcode
from chalicelib.sdk import AsyncContext, Context, NonRetriableError
from tests.unit.drivers.harness import Harness


def nothing() -> None:
    return None


def bare_except_returns(ctx: Context) -> str:
    try:
        ctx.step.run("s", nothing)
    except:  # noqa: E722
        return "gone on"
    return "fine"


def except_base_exception_calls_another(ctx: Context) -> None:
    with contextlib.suppress(BaseException):
        ctx.step.sleep("s", 1)
    ctx.step.run("other", nothing)


def raises_another_error(ctx: Context) -> None:
    try:
        ctx.step.run("s", nothing)
    except BaseException:
        raise ValueError("instead") from None


def raises_it_and_catches_that(ctx: Context) -> None:
    with contextlib.suppress(ValueError):
        raises_another_error(ctx)


def returns_in_finally(ctx: Context) -> str:
    try:
        ctx.step.run("s", nothing)
    finally:
        return "from finally"  # noqa: B012


def swallows_again_and_again(ctx: Context) -> None:
    for _ in range(5):
        with contextlib.suppress(BaseException):
            ctx.step.run("s", nothing)


def in_a_group(ctx: Context) -> None:
    ctx.group.parallel((lambda: bare_except_returns(ctx), lambda: ctx.step.run("b", nothing)))


def around_a_group(ctx: Context) -> None:
    with contextlib.suppress(BaseException):
        ctx.group.parallel((lambda: ctx.step.run("s", nothing),))


async def asynchronous(ctx: AsyncContext) -> None:
    with contextlib.suppress(BaseException):
        await ctx.step.run("s", nothing)


async def gathered_quietly(ctx: AsyncContext) -> None:
    await asyncio.gather(ctx.step.run("s", nothing), return_exceptions=True)


@pytest.mark.parametrize(
    "handler",
    [
        bare_except_returns,
        except_base_exception_calls_another,
        raises_another_error,
        raises_it_and_catches_that,
        returns_in_finally,
        swallows_again_and_again,
        in_a_group,
        around_a_group,
        asynchronous,
        gathered_quietly,
    ],
)
def test_a_swallowed_suspension_ends_the_run_and_says_what_to_do(handler: Any) -> None:
    raised = Harness(handler).raised()

    assert raised.retriable is False
    assert "caught Stepwell's suspension at step 's'" in raised.error.message
    assert "catch Exception, not BaseException" in raised.error.message


def test_catching_exception_lets_the_suspension_pass() -> None:
    def handler(ctx: Context) -> str:
        try:
            ctx.step.run("a", nothing)
            with contextlib.suppress(Exception):
                ctx.step.sleep("b", 1)
        except Exception:
            return "caught"
        return "fine"

    harness = Harness(handler)

    assert harness.drive() == "fine"
    assert harness.history == ["StepRun a", "Sleep b"]


def test_a_step_in_finally_waits_for_its_turn() -> None:
    ran: list[str] = []

    def handler(ctx: Context) -> str:
        try:
            ctx.step.run("work", ran.append, "work")
            ctx.step.sleep("nap", 1)
        finally:
            ctx.step.run("clean", ran.append, "clean")
        return "done"

    harness = Harness(handler)

    assert harness.drive() == "done"
    assert ran == ["work", "clean"]
    assert harness.history == ["StepRun work", "Sleep nap", "StepRun clean"]


def test_a_compensating_step_runs_after_a_failure_only() -> None:
    def fails() -> None:
        raise NonRetriableError("no")

    def handler(ctx: Context) -> None:
        try:
            ctx.step.run("first", nothing)
            ctx.step.run("second", fails)
        except BaseException:
            ctx.step.run("undo", nothing)
            raise

    harness = Harness(handler)
    with pytest.raises(AssertionError, match="the function raised"):
        harness.drive()

    assert harness.history == ["StepRun first", "StepFailed second", "StepRun undo"]


@pytest.mark.parametrize("caught", [False, True])
def test_a_step_in_a_step_fails_it_for_good_even_if_the_handler_catches(caught: bool) -> None:
    def handler(ctx: Context) -> None:
        def outer() -> None:
            with contextlib.suppress(Exception) if caught else contextlib.nullcontext():
                ctx.step.run("inner", nothing)

        ctx.step.run("outer", outer)

    op = Harness(handler).op()

    assert (op.op, op.name) == (Opcode.STEP_FAILED, "outer")
    assert op.error is not None
    assert "step 'inner' was called inside step 'outer': steps cannot be nested" in op.error.message


def test_other_ways_to_nest() -> None:
    async def nested(ctx: AsyncContext) -> None:
        async def outer() -> None:
            await asyncio.create_task(ctx.step.sleep("inner", 1))

        await ctx.step.run("outer", outer)

    op = Harness(nested).op()
    assert op.error is not None
    assert "inside step 'outer'" in op.error.message

    def group(ctx: Context) -> None:
        ctx.step.run("outer", lambda: ctx.group.parallel((lambda: ctx.step.run("inner", nothing),)))

    op = Harness(group).op()
    assert op.error is not None
    assert "ctx.group.parallel was called inside step 'outer'" in op.error.message


async def pause() -> None:
    await asyncio.sleep(0.01)


async def gathers(ctx: AsyncContext) -> None:
    await asyncio.gather(ctx.step.run("a", pause), ctx.step.run("b", pause))


async def gathers_sleeps(ctx: AsyncContext) -> None:
    await asyncio.gather(ctx.step.sleep("a", 1), ctx.step.sleep("b", 1))


async def task_group(ctx: AsyncContext) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ctx.step.run("a", pause))
        tasks.create_task(ctx.step.run("b", pause))


def in_another_thread(ctx: Context) -> None:
    thread = threading.Thread(target=ignore, args=(ctx,))
    thread.start()
    thread.join()


def ignore(ctx: Context) -> None:
    with contextlib.suppress(Exception):
        ctx.step.run("a", nothing)


@pytest.mark.parametrize("handler", [gathers, gathers_sleeps, task_group, in_another_thread])
def test_steps_side_by_side_by_other_means_are_refused(handler: Any) -> None:
    raised = Harness(handler).raised()

    assert raised.retriable is False
    assert "ctx.group.parallel" in raised.error.message


def test_one_step_in_a_task_of_its_own_is_fine() -> None:
    async def handler(ctx: AsyncContext) -> str:
        await asyncio.wait_for(ctx.step.run("a", pause), timeout=5)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ctx.step.run("b", pause))
        return "done"

    assert Harness(handler).drive() == "done"


def test_a_step_cut_short_by_a_timeout_is_a_failure() -> None:
    async def handler(ctx: AsyncContext) -> None:
        await asyncio.wait_for(ctx.step.run("a", asyncio.sleep, 5), timeout=0.01)

    op = Harness(handler).op()

    assert (op.op, op.error is not None and op.error.name) == (Opcode.STEP_ERROR, "CancelledError")


def test_a_step_left_running_ends_the_run() -> None:
    async def handler(ctx: AsyncContext) -> None:
        task = asyncio.create_task(ctx.step.run("s", asyncio.sleep, 5))
        await asyncio.sleep(0)
        del task

    assert "await every step" in Harness(handler).raised().error.message


def test_the_driver_can_be_called_from_asynchronous_code() -> None:
    async def handler(ctx: AsyncContext) -> str:
        await ctx.step.run("a", pause)
        return "done"

    async def test() -> Any:
        return Harness(handler).drive()

    assert asyncio.run(test()) == "done"


def test_many_threads_may_call_at_once() -> None:
    barrier = threading.Barrier(8)

    async def handler(ctx: AsyncContext) -> int:
        value = await ctx.step.run("a", lambda: barrier.wait() < 0)
        n: int = ctx.event.data["n"]
        return -1 if value else n

    results: list[Any] = [None] * 8

    def work(index: int) -> None:
        results[index] = Harness(handler, data={"n": index}).drive()

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == list(range(8))


def test_what_python_cleans_up_after_the_entry_runs_no_step() -> None:
    ran: list[str] = []

    def items(ctx: Context) -> Iterator[int]:
        try:
            yield 1
        finally:
            ctx.step.run("clean", ran.append, "clean")

    def handler(ctx: Context) -> None:
        for _ in items(ctx):
            ctx.step.run("s", nothing)

    op = Harness(handler).op()
    gc.collect()

    assert op.name == "s"
    assert ran == []
    assert Harness(handler).drive() is None
    assert ran == ["clean"]


def test_a_task_group_in_a_callable_of_a_group_hides_no_other_callable() -> None:
    async def handler(ctx: AsyncContext) -> Any:
        async def wrapped() -> str:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(ctx.step.run("a", pause))
            return "a"

        return await ctx.group.parallel((wrapped, lambda: ctx.step.run("b", str, "b")))

    harness = Harness(handler)

    assert [op.name for op in harness.ops()] == ["a", "b"]
    assert harness.drive() == ["a", "b"]
