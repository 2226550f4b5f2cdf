"""Functions that do what they should not: each ends in a way that says what to do, and leaves no message behind."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.sdk import Context, TriggerEvent, function
from chalicelib.testing import RunView, Stepwell, start_stepwell

Body = Callable[[Context], Any]


def run_of(body: Body, retries: int = 0) -> RunView:
    fn = function(fn_id="job", trigger=TriggerEvent(event="go"), retries=retries)(lambda ctx: body(ctx))
    with start_stepwell([fn]) as kit:
        kit.send("go")
        kit.advance("1h")
        assert_at_rest(kit)
        return kit.only_run()


def assert_at_rest(kit: Stepwell) -> None:
    counts = (kit.pump.visible(), kit.pump.in_flight(), kit.pump.waiting(), kit.pump.dead_letters())
    assert counts == (0, 0, 0, 0)


class Custom(BaseException):
    pass


def raise_in_step(error: BaseException) -> Body:
    def fail() -> None:
        raise error

    return lambda ctx: ctx.step.run("work", fail)


def raise_outside(error: BaseException) -> Body:
    def body(_ctx: Context) -> None:
        raise error

    return body


@pytest.mark.parametrize("place", [raise_in_step, raise_outside])
@pytest.mark.parametrize(
    "error",
    [SystemExit(3), SystemExit(), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError(), Custom("x")],
    ids=repr,
)
def test_exceptions_that_are_no_exception(place: Callable[[BaseException], Body], error: BaseException) -> None:
    run = run_of(place(error), retries=1)

    assert run.status == "Failed"
    assert type(error).__name__ in str(run.error)
    assert "counts as a failure like any other" in str(run.error)
    failed = [entry for entry in run.timeline if entry["type"].endswith("attempt_failed")]
    assert len(failed) + (run.steps == {}) == 2  # It was tried again.


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ValueError(), "ValueError()"),
        (ValueError(""), "ValueError("),
        (KeyError("missing"), "'missing'"),
        (RecursionError("too deep"), "too deep"),
        (MemoryError(), "MemoryError()"),
        (StopIteration(3), "3"),
        (ValueError("\ud800"), "ud800"),
        (ValueError("x" * 100_000), "xxx"),
        (ExceptionGroup("several", [ValueError("a"), TypeError("b")]), "several (2 sub-exceptions)"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_odd_exceptions(error: Exception, says: str) -> None:
    for place in (raise_in_step, raise_outside):
        run = run_of(place(error))
        assert run.status == "Failed"
        assert says in str(run.error)
        assert len(str(run.error)) <= 8_000


def test_an_exception_whose_text_cannot_be_read() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text for you")

        __repr__ = __str__

    assert "its message cannot be read: RuntimeError" in str(run_of(raise_in_step(Broken())).error)


def bare_except(ctx: Context) -> Any:
    try:
        return ctx.step.run("work", int)
    except:  # noqa: E722
        return "swallowed"


def suppressing(ctx: Context) -> Any:
    with contextlib.suppress(BaseException):
        ctx.step.run("work", int)
    return "swallowed"


def returning_in_finally(ctx: Context) -> Any:
    try:
        ctx.step.sleep("nap", "1d")
    finally:
        return "swallowed"  # noqa: B012


def going_on(ctx: Context) -> Any:
    try:
        ctx.step.run("first", int)
    except BaseException:
        ctx.step.run("second", int)


def raising_another(ctx: Context) -> Any:
    try:
        ctx.step.wait_for_event("wait", event="e", timeout="1d")
    except BaseException:
        raise ValueError("hidden") from None


@pytest.mark.parametrize("body", [bare_except, suppressing, returning_in_finally, raising_another])
def test_a_function_that_swallows_the_suspension(body: Body) -> None:
    run = run_of(body, retries=4)

    assert run.status == "Failed"
    assert "catch Exception, not BaseException" in str(run.error)
    assert "bare `except:`" in str(run.error)
    assert run.steps == {}  # It failed at once; no attempt is made with a function that cannot work.


def test_a_step_in_an_except_that_lets_the_suspension_pass_is_fine() -> None:
    def body(ctx: Context) -> Any:
        try:
            return ctx.step.run("first", int)
        finally:
            ctx.step.run("clean-up", int)

    run = run_of(body)
    assert run.status == "Completed"
    assert list(run.steps) == ["first", "clean-up"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (lambda ctx: ctx.step.run("outer", lambda: ctx.step.run("inner", int)), "steps cannot be nested"),
        (lambda ctx: ctx.step.run("work", "not callable"), "pass the function itself"),
        (lambda ctx: ctx.step.run("work", asyncio.sleep, 0), "make the function `async def`"),
        (lambda ctx: ctx.group.parallel((1,)), "write `lambda: ctx.step.run(…)`"),
        (lambda ctx: ctx.group.parallel(ctx.step.run), "takes a tuple of callables"),
        (lambda ctx: ctx.step.walk("x"), "walk"),
        (lambda ctx: in_a_thread(lambda: ctx.step.run("x", int)), "thread"),
    ],
)
def test_steps_used_wrongly(body: Body, says: str) -> None:
    run = run_of(body)

    assert run.status == "Failed"
    assert says in str(run.error)


def in_a_thread(act: Callable[[], Any]) -> None:
    errors: list[BaseException] = []

    def caught() -> None:
        try:
            act()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=caught)
    thread.start()
    thread.join()
    raise errors[0]


def test_a_function_that_returns_early_is_complete() -> None:
    def body(ctx: Context) -> Any:
        ctx.step.run("first", int)
        if ctx.event.data.get("more"):
            ctx.step.run("second", int)
        return

    run = run_of(body)
    assert (run.status, run.output, list(run.steps)) == ("Completed", None, ["first"])


def test_a_way_that_is_decided_outside_of_steps_is_told() -> None:
    entries = []

    def body(ctx: Context) -> Any:
        entries.append(1)
        if len(entries) == 1:
            ctx.step.run("first-time", int)
        return ctx.step.run("always", int)

    run = run_of(body)
    assert run.status == "Completed"
    assert [text for text in run.warnings if "it went on without the recorded steps 'first-time'" in text]
