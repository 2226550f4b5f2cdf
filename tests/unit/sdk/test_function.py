"""@function: what it makes of its arguments, and what it says about wrong ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from chalicelib.core.functions import CronTrigger, EventTrigger
from chalicelib.sdk import (
    AsyncContext,
    Cancel,
    Context,
    ContextSync,
    Function,
    InvalidFunction,
    TriggerCron,
    TriggerEvent,
    function,
)

EVENT = TriggerEvent(event="a/b")


def plain(ctx: Context) -> str:
    """What it does."""
    return ctx.run_id


async def asynchronous(ctx: AsyncContext) -> str:
    return ctx.run_id


def test_the_smallest_function() -> None:
    made = function(fn_id="mine", trigger=EVENT)(plain)

    assert (made.fn_id, made.handler, made.is_async, made.on_failure) == ("mine", plain, False, None)
    assert made.module == __name__
    assert made.__doc__ == "What it does."
    assert repr(made) == f"<Function 'mine' of {__name__}>"
    assert made.config.wire() == {
        "id": "mine",
        "name": "mine",
        "triggers": [{"event": "a/b"}],
        "cancel": [],
        "retries": 4,
        "driver": "in_process",
    }


def test_every_argument_reaches_the_configuration() -> None:
    made = function(
        fn_id="mine",
        trigger=[
            TriggerEvent(event="a/*", expression="event.data.x == 1"),
            TriggerCron(cron="TZ=Europe/Berlin 0 9 * * 1"),
        ],
        name="My function",
        cancel=[
            Cancel(event="c", if_exp="async.data.x == event.data.x", timeout=timedelta(hours=36)),
            Cancel(event="d"),
        ],
        retries=0,
    )(plain)

    config = made.config
    assert config.triggers == (
        EventTrigger(event="a/*", expression="event.data.x == 1"),
        CronTrigger(cron="TZ=Europe/Berlin 0 9 * * 1"),
    )
    assert (config.name, config.retries, config.max_attempts) == ("My function", 0, 1)
    first, second = config.cancel
    assert (first.event, first.if_exp, first.until_ms(0)) == ("c", "async.data.x == event.data.x", 129_600_000)
    assert (second.event, second.if_exp, second.until_ms(0)) == ("d", None, None)


@pytest.mark.parametrize(("timeout", "expected"), [(1500, 1500), ("7d", 604_800_000), (timedelta(seconds=1), 1000)])
def test_one_cancel_needs_no_list_and_its_timeout_takes_every_form(timeout: Any, expected: int) -> None:
    made = function(fn_id="mine", trigger=EVENT, cancel=Cancel(event="c", timeout=timeout))(plain)

    assert [item.until_ms(0) for item in made.config.cancel] == [expected]


def test_the_kind_of_the_function_is_seen() -> None:
    class Callable:
        async def __call__(self, ctx: AsyncContext) -> None: ...

    for handler in (asynchronous, partial(asynchronous), Callable()):
        assert function(fn_id="mine", trigger=EVENT)(handler).is_async


def test_a_function_can_be_called_as_it_is() -> None:
    made = function(fn_id="mine", trigger=EVENT)(lambda ctx: [ctx])

    assert made("context") == ["context"]
    assert ContextSync is Context


def test_on_failure_becomes_a_function_of_its_own() -> None:
    made = function(fn_id="mine", trigger=EVENT, name="Mine", on_failure=asynchronous)(plain)

    failure = made.on_failure
    assert isinstance(failure, Function)
    assert failure.is_async
    assert failure.config.wire() == {
        "id": "mine-failure",
        "name": "Mine (failure)",
        "triggers": [{"event": "inngest/function.failed", "expression": "event.data.function_id == 'mine'"}],
        "cancel": [],
        "retries": 0,
        "driver": "in_process",
    }


def two_arguments(_ctx: Context, _other: int) -> None: ...


def no_argument() -> None: ...


def generator(_ctx: Context) -> Iterator[int]:
    yield 1


async def async_generator(_ctx: AsyncContext) -> AsyncIterator[int]:
    yield 1


def make(handler: Any = plain, **arguments: Any) -> Any:
    given: dict[str, Any] = {"fn_id": "mine", "trigger": EVENT}
    return function(**(given | arguments))(handler)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fn_id": ""}, "fn_id '' cannot be used: use 1 to 200 letters"),
        ({"fn_id": "with space"}, "fn_id 'with space' cannot be used"),
        ({"fn_id": "it's"}, "cannot be used"),
        ({"fn_id": "x" * 201}, "cannot be used"),
        ({"fn_id": None}, "fn_id 'None' cannot be used"),
        ({"fn_id": "x" * 195, "on_failure": plain}, "on_failure of function"),
        ({"name": ""}, "name: string should have at least 1 character"),
        ({"retries": 21}, "retries: input should be less than or equal to 20 (got '21')"),
        ({"retries": -1}, "retries: input should be greater than or equal to 0"),
        ({"retries": "many"}, "retries: input should be a valid integer"),
        ({"trigger": []}, "trigger is empty; give at least one TriggerEvent or TriggerCron"),
        ({"trigger": "a/b"}, "trigger must be TriggerEvent(event=…) or TriggerCron(cron=…)"),
        ({"trigger": None}, "or a list of them, not None"),
        ({"trigger": [EVENT, "a/b"]}, "function 'mine', trigger 2: trigger must be"),
        ({"trigger": [EVENT] * 11}, "trigger: tuple should have at most 10 items"),
        ({"trigger": TriggerEvent(event="")}, "event: string should have at least 1 character"),
        (
            {"trigger": [EVENT, TriggerEvent(event="a", expression="event.data. ==")]},
            "function 'mine', trigger 2: expression",
        ),
        ({"trigger": TriggerEvent(event="a", expression="async.data.x == 1")}, "expression:"),
        ({"trigger": TriggerCron(cron="every day")}, "cron: 'every day' is not a cron expression"),
        ({"trigger": TriggerCron(cron="TZ=Mars/Base 0 9 * * 1")}, "'Mars/Base' is not a time zone"),
        ({"cancel": "a/b"}, "cancel 1: cancel takes Cancel(event=…) or a list of them"),
        ({"cancel": [Cancel(event="c")] * 6}, "cancel: tuple should have at most 5 items"),
        ({"cancel": Cancel(event="c", if_exp="async.data.x ==")}, "cancel 1: if_exp:"),
        ({"cancel": Cancel(event="c", timeout="soon")}, "cancel 1: timeout: 'soon' is not a duration"),
        ({"cancel": Cancel(event="c", timeout=-1)}, "cannot be negative"),
        ({"cancel": Cancel(event="c", timeout=1.5)}, "cancel 1: timeout:"),  # type: ignore[arg-type]
        ({"handler": None}, "a function is needed, not None"),
        ({"handler": two_arguments}, "it must take one argument, ctx"),
        ({"handler": no_argument}, "it must take one argument, ctx"),
        ({"handler": generator}, "it must return, not yield"),
        ({"handler": async_generator}, "it must return, not yield"),
        ({"handler": make()}, "'mine' is decorated already"),
        ({"on_failure": no_argument}, "on_failure of function 'mine': it must take one argument"),
        ({"on_failure": make()}, "on_failure of function 'mine': 'mine' is decorated already"),
    ],
)
def test_a_mistake_is_told_with_function_field_and_remedy(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidFunction) as caught:
        make(**arguments)

    assert message in str(caught.value)
    assert "function " in str(caught.value)
