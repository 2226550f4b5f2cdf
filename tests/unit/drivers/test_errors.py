"""What the user's exceptions become, in a step and outside of steps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest

from chalicelib.core.calls import ErrorInfo, Opcode
from chalicelib.core.limits import MAX_ERROR_CHARS
from chalicelib.sdk import AsyncContext, Context, NonRetriableError, RetryAfterError, StepError
from tests.unit.drivers.harness import NOW_MS, Harness


class CardDeclined(NonRetriableError):
    """A user's own class."""


class Custom(BaseException):
    """A user's exception that is no Exception."""


class Broken(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def fail(error: BaseException) -> NoReturn:
    raise error


async def fail_async(error: BaseException) -> NoReturn:
    await asyncio.sleep(0)
    raise error


def in_step(error: BaseException) -> Callable[[Context], Any]:
    return lambda ctx: ctx.step.run("s", fail, error)


def in_async_step(error: BaseException) -> Any:
    async def handler(ctx: AsyncContext) -> None:
        await ctx.step.run("s", fail_async, error)

    return handler


def outside(error: BaseException) -> Callable[[Context], Any]:
    return lambda _: fail(error)


def outside_async(error: BaseException) -> Any:
    async def handler(_: AsyncContext) -> None:
        await fail_async(error)

    return handler


ERRORS = [
    (ValueError("bad"), "ValueError", "bad", True),
    (ValueError(), "ValueError", "ValueError()", True),
    (KeyError("email"), "KeyError", "'email'", True),
    (NonRetriableError("stop"), "NonRetriableError", "stop", False),
    (CardDeclined("no money"), "CardDeclined", "no money", False),
    (RetryAfterError("later", 5000), "RetryAfterError", "later", True),
    (StepError("inner", "Inner", None), "Inner", "inner", False),
    (MemoryError(), "MemoryError", "MemoryError()", True),
    (RecursionError("deep"), "RecursionError", "deep", True),
    (ValueError("half \ud800"), "ValueError", "half \\ud800", True),
    (ValueError("x" * 20_000), "ValueError", "x" * MAX_ERROR_CHARS, True),
    (Broken(), "Broken", "(its message cannot be read: RuntimeError)", True),
    (SystemExit(3), "SystemExit", "SystemExit(3) was raised, which is not an Exception", True),
    (KeyboardInterrupt(), "KeyboardInterrupt", "KeyboardInterrupt() was raised", True),
    (GeneratorExit(), "GeneratorExit", "GeneratorExit() was raised", True),
    (asyncio.CancelledError("late"), "CancelledError", "CancelledError('late') was raised", True),
    (Custom("odd"), "Custom", "Custom('odd') was raised", True),
]


@pytest.mark.parametrize("build", [in_step, in_async_step])
@pytest.mark.parametrize(("error", "name", "message", "retriable"), ERRORS)
def test_an_error_in_a_step(build: Any, error: Any, name: str, message: str, retriable: bool) -> None:
    op = Harness(build(error)).op()

    assert op.op is (Opcode.STEP_ERROR if retriable else Opcode.STEP_FAILED)
    assert op.retriable is retriable
    assert op.error is not None
    assert op.error.name == name
    assert op.error.message.startswith(message)
    assert op.started_at_ms is not None
    assert op.ended_at_ms is not None


@pytest.mark.parametrize("build", [outside, outside_async])
@pytest.mark.parametrize(("error", "name", "message", "retriable"), ERRORS)
def test_an_error_outside_of_steps(build: Any, error: Any, name: str, message: str, retriable: bool) -> None:
    raised = Harness(build(error)).raised()

    assert raised.retriable is retriable
    assert raised.error.name == name
    assert raised.error.message.startswith(message)


@pytest.mark.parametrize(
    ("retry_after", "expected_ms"),
    [
        (5000, 5000),
        (timedelta(minutes=1), 60_000),
        ("2h", 7_200_000),
        (-5, 0),
        (datetime(2020, 1, 1), 0),
        (datetime.fromtimestamp((NOW_MS + 90_000) / 1000, tz=UTC), 90_000),
        (datetime.fromtimestamp((NOW_MS + 90_000) / 1000, tz=UTC).replace(tzinfo=None), 90_000),
    ],
)
def test_retry_after_becomes_a_moment(retry_after: Any, expected_ms: int) -> None:
    error = RetryAfterError("later", retry_after)

    for moment in (Harness(in_step(error)).op().retry_after_ms, Harness(outside(error)).raised().retry_after_ms):
        assert moment is not None
        assert abs(moment - NOW_MS - expected_ms) < 10


@pytest.mark.parametrize("retry_after", ["soon", None, 1.5, True])
def test_a_retry_after_that_cannot_be_read_is_told(retry_after: Any) -> None:
    def handler(_: Context) -> None:
        raise RetryAfterError("later", retry_after)

    raised = Harness(handler).raised()

    assert raised.retriable is False
    assert raised.error.name == "InvalidDuration"


def test_a_step_that_failed_for_good_raises_step_error_which_may_be_caught() -> None:
    def handler(ctx: Context) -> Any:
        try:
            ctx.step.run("charge", fail, CardDeclined("no money"))
        except StepError as error:
            return ctx.step.run("tell", list, [error.name, error.message, bool(error.stack), str(error)])

    harness = Harness(handler)

    assert harness.drive() == ["CardDeclined", "no money", True, "no money"]
    assert harness.history == ["StepFailed charge", "StepRun tell"]


@pytest.mark.parametrize(
    "use",
    [
        lambda ctx: ctx.step.run("s", abs, 1),
        lambda ctx: ctx.step.sleep("s", 1),
        lambda ctx: ctx.step.wait_for_event("s", event="a", timeout=1),
        lambda ctx: ctx.step.invoke_by_id("s", function_id="f"),
    ],
)
def test_every_kind_of_step_raises_its_recorded_error(use: Any) -> None:
    harness = Harness(use)
    harness.memo("s", error=ErrorInfo.of("Timeout", "too late", "the stack"))
    raised = harness.raised()

    assert raised.retriable is False
    assert (raised.error.name, raised.error.message, raised.error.stack) == ("Timeout", "too late", "the stack")


def user_code(depth: int) -> None:
    if depth:
        user_code(depth - 1)
    raise ValueError("deep inside")


@pytest.mark.parametrize("handler", [lambda ctx: ctx.step.run("s", user_code, 2), lambda _: user_code(2)])
def test_a_stack_shows_the_users_frames_only(handler: Any) -> None:
    reply: Any = Harness(handler).call()
    stack = (reply.ops[0] if hasattr(reply, "ops") else reply).error.stack

    assert stack.startswith("Traceback")
    assert stack.rstrip().endswith("ValueError: deep inside")
    assert stack.count("in user_code") == 3
    assert "chalicelib" not in stack


def test_a_stack_shows_the_cause_and_stays_small() -> None:
    def handler(_: Context) -> None:
        try:
            user_code(900)
        except ValueError as error:
            raise RuntimeError("on top") from error

    stack = Harness(handler).raised().error.stack

    assert stack is not None
    assert "ValueError: deep inside" in stack
    assert "RuntimeError: on top" in stack
    assert len(stack) <= MAX_ERROR_CHARS


def test_an_asynchronous_stack_shows_no_event_loop() -> None:
    stack = Harness(outside_async(ValueError("x"))).raised().error.stack

    assert stack is not None
    assert "asyncio" not in stack
    assert "in fail_async" in stack


def test_an_asynchronous_handler_needs_an_asynchronous_function() -> None:
    op = Harness(lambda ctx: ctx.step.run("s", fail_async, ValueError())).op()

    assert op.op is Opcode.STEP_FAILED
    assert op.error is not None
    assert "make the function `async def`" in op.error.message


def test_a_plain_function_that_returns_a_coroutine_is_told_so() -> None:
    raised = Harness(lambda _: fail_async(ValueError())).raised()

    assert "await it; only `async def` functions can" in raised.error.message
