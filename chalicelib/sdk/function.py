"""@function: a durable function and its configuration, checked where it is written."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, overload

from pydantic import ValidationError

from chalicelib.core import events
from chalicelib.core.durations import format_duration, format_lookback, parse_duration, parse_lookback
from chalicelib.core.errors import InvalidDuration, InvalidFunction
from chalicelib.core.functions import CancelOn, CronTrigger, EventTrigger, FunctionConfig
from chalicelib.sdk.flow import (
    Batch,
    Concurrency,
    Debounce,
    Priority,
    RateLimit,
    Singleton,
    Throttle,
    Timeouts,
    flow,
    in_python,
)
from chalicelib.sdk.triggers import Cancel, TriggerCron, TriggerEvent

if TYPE_CHECKING:
    from chalicelib.sdk.context import AsyncContext, Context

T = TypeVar("T")
M = TypeVar("M", EventTrigger, CronTrigger, CancelOn, FunctionConfig)
Trigger = TriggerEvent | TriggerCron


class Function(Generic[T]):
    """A decorated function: what is registered, and what `ctx.step.invoke` takes.

    Called itself, it calls the plain function, for tests that hand in a context of their own.
    """

    def __init__(
        self, config: FunctionConfig, handler: Callable[..., Any], on_failure: Function[Any] | None = None
    ) -> None:
        self.config = config
        self.handler = handler
        self.on_failure = on_failure
        self.is_async = _is_async(handler)
        self.module: str = getattr(handler, "__module__", None) or "?"
        self.__doc__ = handler.__doc__

    @property
    def fn_id(self) -> str:
        return self.config.id

    def __call__(self, ctx: Any) -> Any:
        return self.handler(ctx)

    def __repr__(self) -> str:
        return f"<Function {self.fn_id!r} of {self.module}>"


class Decorator(Protocol):
    """What @function(…) gives."""

    @overload
    def __call__(self, handler: Callable[[AsyncContext], Awaitable[T]], /) -> Function[T]: ...
    @overload
    def __call__(self, handler: Callable[[Context], T], /) -> Function[T]: ...


def function(
    *,
    fn_id: str,
    trigger: Trigger | Sequence[Trigger],
    name: str | None = None,
    batch_events: Batch | None = None,
    cancel: Cancel | Sequence[Cancel] | None = None,
    concurrency: int | Sequence[Concurrency] | None = None,
    debounce: Debounce | None = None,
    idempotency: str | None = None,
    priority: Priority | None = None,
    rate_limit: RateLimit | None = None,
    retries: int | None = None,
    singleton: Singleton | None = None,
    throttle: Throttle | None = None,
    timeouts: Timeouts | None = None,
    wait_lookback: int | timedelta | str | None = None,
    on_failure: Callable[[Any], Any] | None = None,
) -> Decorator:
    """Make a function durable.

    `fn_id` names it for good: runs find their function by it. `retries` (0 to 20, 4 by default) is for each
    step and for the code outside of steps. `wait_lookback` is the `lookback` of waits that give none: a duration, or
    "run". `concurrency`, one or two limits or a number alone, bounds how many of its steps run at once, and `priority`
    says which of those that wait come first. `idempotency` (an expression on `event`), `rate_limit` and `singleton`
    say how many runs start, `throttle` says when, `timeouts` for how long; `debounce` and `batch_events` make one run
    of several events: docs/FLOW.md. `on_failure(ctx)` is called when a run has failed. Raises InvalidFunction.
    """

    flow_parts = {
        "batch_events": batch_events,
        "concurrency": concurrency,
        "debounce": debounce,
        "idempotency": idempotency,
        "priority": priority,
        "rate_limit": rate_limit,
        "singleton": singleton,
        "throttle": throttle,
        "timeouts": timeouts,
    }

    def decorate(handler: Callable[..., Any]) -> Function[Any]:
        what = f"function {fn_id!r}"
        _check(handler, fn_id, what)
        config = _build(
            FunctionConfig,
            what,
            id=fn_id,
            name=fn_id if name is None else name,
            triggers=_triggers(trigger, what),
            cancel=_cancels(cancel, what),
            wait_lookback=_lookback(wait_lookback, what),
            flow=flow(what, **flow_parts),
            **({} if retries is None else {"retries": retries}),
        )
        failure = None if on_failure is None else _failure_function(config, on_failure)
        return Function(config, handler, failure)

    return decorate


def _check(handler: Callable[..., Any], fn_id: str, what: str) -> None:
    _check_id(fn_id, what)
    _check_handler(handler, what)
    _check_shadowing(handler, fn_id, what)


def _failure_function(config: FunctionConfig, handler: Callable[[Any], Any]) -> Function[Any]:
    what = f"on_failure of function {config.id!r}"
    _check_id(f"{config.id}-failure", what)
    _check_handler(handler, what)
    trigger = _build(
        EventTrigger,
        what,
        event=events.FAILED,
        expression=f"event.data.function_id == '{config.id}'",
    )
    failure = _build(
        FunctionConfig,
        what,
        id=f"{config.id}-failure",
        name=f"{config.name} (failure)"[-256:],
        triggers=(trigger,),
        retries=0,
    )
    return Function(failure, handler)


def _triggers(given: object, what: str) -> tuple[EventTrigger | CronTrigger, ...]:
    items = list(given) if isinstance(given, list | tuple) else [given]
    if not items:
        raise InvalidFunction(f"{what}: trigger is empty; give at least one TriggerEvent or TriggerCron")
    result: list[EventTrigger | CronTrigger] = []
    for index, item in enumerate(items, start=1):
        where = what if len(items) == 1 else f"{what}, trigger {index}"
        match item:
            case TriggerEvent():
                result.append(_build(EventTrigger, where, event=item.event, expression=item.expression))
            case TriggerCron():
                result.append(_build(CronTrigger, where, cron=item.cron))
            case _:
                raise InvalidFunction(
                    f"{where}: trigger must be TriggerEvent(event=…) or TriggerCron(cron=…), "
                    f"or a list of them, not {_named(item)}"
                )
    return tuple(result)


def _cancels(given: object, what: str) -> tuple[CancelOn, ...]:
    items = [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
    result = []
    for index, item in enumerate(items, start=1):
        where = f"{what}, cancel {index}"
        if not isinstance(item, Cancel):
            raise InvalidFunction(f"{where}: cancel takes Cancel(event=…) or a list of them, not {_named(item)}")
        timeout = None
        if item.timeout is not None:
            try:
                timeout = format_duration(parse_duration(item.timeout))
            except (InvalidDuration, AttributeError) as error:
                raise InvalidFunction(f"{where}: timeout: {error}") from None
        result.append(_build(CancelOn, where, event=item.event, if_exp=item.if_exp, timeout=timeout))
    return tuple(result)


def _lookback(given: int | timedelta | str | None, what: str) -> str | None:
    if given is None:
        return None
    try:
        return format_lookback(parse_lookback(given))
    except InvalidDuration as error:
        raise InvalidFunction(f"{what}: wait_lookback: {error}; or it is 'run'") from None


def _build(model: type[M], what: str, **fields: Any) -> M:
    try:
        return model(**fields)
    except ValidationError as error:
        problems = "; ".join(_explain(problem) for problem in error.errors()[:5])
        raise InvalidFunction(f"{what}: {problems}") from None


_FIELDS = {"triggers": "trigger", "if": "if_exp"}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_ID_RULE = "use 1 to 200 letters, digits, '.', '_' and '-', beginning with a letter or a digit"


def _check_id(fn_id: object, what: str) -> None:
    if not isinstance(fn_id, str) or not _ID.fullmatch(fn_id):
        raise InvalidFunction(f"{what}: fn_id {str(fn_id)[:80]!r} cannot be used: {_ID_RULE}")


def _explain(problem: Any) -> str:
    message = in_python(str(problem["msg"]).removeprefix("Value error, "))
    if not problem["loc"]:
        return message  # Of what does not go together.
    field = str(problem["loc"][0])
    return f"{_FIELDS.get(field, field)}: {message[0].lower()}{message[1:]} (got {str(problem['input'])[:80]!r})"


def _check_handler(handler: object, what: str) -> None:
    if not callable(handler):
        raise InvalidFunction(f"{what}: a function is needed, not {_named(handler)}")
    if isinstance(handler, Function):
        raise InvalidFunction(f"{what}: {handler.fn_id!r} is decorated already; give the plain function")
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        raise InvalidFunction(f"{what}: it must return, not yield; make each part a step with ctx.step.run")
    try:
        inspect.signature(handler).bind(None)
    except TypeError:
        raise InvalidFunction(f"{what}: it must take one argument, ctx") from None
    except ValueError:  # A builtin without a signature.
        return


def _check_shadowing(handler: Callable[..., Any], fn_id: str, what: str) -> None:
    """Two functions of one name in one module: the first would be lost, as functions are found by name."""
    name = getattr(handler, "__name__", None)
    if name is None or getattr(handler, "__qualname__", None) != name:
        return
    earlier = getattr(handler, "__globals__", {}).get(name)
    if isinstance(earlier, Function) and earlier.fn_id != fn_id and earlier.handler is not handler:
        raise InvalidFunction(
            f"{what}: module {earlier.module} already has a function named {name} "
            f"(fn_id {earlier.fn_id!r}), which this one would replace; give them different names"
        )


def _is_async(handler: object) -> bool:
    # Of an object with an asynchronous __call__, too.
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)


def _named(value: object) -> str:
    return "None" if value is None else f"an object of type {type(value).__name__}"
