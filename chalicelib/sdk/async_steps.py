"""The step tools of `async def` functions: those of `def` functions, to be awaited."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar, TypeVarTuple, overload

from chalicelib.sdk.event import Event
from chalicelib.sdk.execution import Execution, Recalled
from chalicelib.sdk.function import Function
from chalicelib.sdk.groups import Collector
from chalicelib.sdk.requests import Duration
from chalicelib.sdk.steps import Step
from chalicelib.sdk.waiting import FirstEvent, Signal, WaitFor

T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
Ts = TypeVarTuple("Ts")


class AsyncStep:
    """What an asynchronous function does durably; see Step for each method."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._step = Step(execution)

    @overload
    async def run(self, step_id: str, handler: Callable[[*Ts], Awaitable[T]], *handler_args: *Ts) -> T: ...
    @overload
    async def run(self, step_id: str, handler: Callable[[*Ts], T], *handler_args: *Ts) -> T: ...
    async def run(self, step_id: str, handler: Callable[[*Ts], Any], *handler_args: *Ts) -> Any:
        """Call the handler, which may be asynchronous, retry it when it raises, and keep what it returns."""
        step = self._execution.begin(step_id, handler)
        if isinstance(step, Recalled):
            return step.output
        try:
            result = handler(*handler_args)
            if inspect.isawaitable(result):
                result = await result
        except BaseException as error:
            raise step.fail(error) from None
        raise step.complete(result)

    async def sleep(self, step_id: str, duration: Duration) -> None:
        """Sleep for milliseconds, a timedelta or a text such as "7d"."""
        self._step.sleep(step_id, duration)

    async def sleep_until(self, step_id: str, until: datetime) -> None:
        """Sleep until a moment."""
        self._step.sleep_until(step_id, until)

    async def wait_for_event(
        self,
        step_id: str,
        *,
        event: str,
        if_exp: str | None = None,
        timeout: Duration,
        lookback: Duration | Literal["run"] | None = None,
    ) -> Event | None:
        """The first matching event, or None after `timeout`."""
        return self._step.wait_for_event(step_id, event=event, if_exp=if_exp, timeout=timeout, lookback=lookback)

    async def wait_for_any(
        self,
        step_id: str,
        events: Sequence[WaitFor],
        *,
        timeout: Duration,
        lookback: Duration | Literal["run"] | None = None,
    ) -> FirstEvent | None:
        """The first event to come of several, and which it is; None after `timeout`."""
        return self._step.wait_for_any(step_id, events, timeout=timeout, lookback=lookback)

    async def wait_for_signal(
        self,
        step_id: str,
        *,
        signal: str,
        timeout: Duration,
        on_conflict: Literal["fail", "replace"] = "fail",
    ) -> Signal | None:
        """The signal, or None after `timeout`."""
        return self._step.wait_for_signal(step_id, signal=signal, timeout=timeout, on_conflict=on_conflict)

    async def send_signal(self, step_id: str, *, signal: str, data: object = None) -> str | None:
        """Send a signal; the run that waited for it, if one did."""
        return self._step.send_signal(step_id, signal=signal, data=data)

    async def send_event(self, step_id: str, events: Event | list[Event]) -> list[str]:
        """Send events, once; their ids."""
        return self._step.send_event(step_id, events)

    async def invoke(
        self,
        step_id: str,
        *,
        function: Function[T],
        data: Mapping[str, object] | None = None,
        user: Mapping[str, object] | None = None,
        v: str | None = None,
        timeout: Duration | None = None,
    ) -> T:
        """Start another function and return what it returns."""
        return self._step.invoke(step_id, function=function, data=data, user=user, v=v, timeout=timeout)

    async def invoke_by_id(
        self,
        step_id: str,
        *,
        function_id: str,
        data: Mapping[str, object] | None = None,
        user: Mapping[str, object] | None = None,
        v: str | None = None,
        timeout: Duration | None = None,
    ) -> Any:
        """As `invoke`, for a function that is named by its id."""
        return self._step.invoke_by_id(step_id, function_id=function_id, data=data, user=user, v=v, timeout=timeout)


class AsyncGroup:
    """Steps side by side, in an asynchronous function."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    @overload
    async def parallel(
        self, callables: tuple[Callable[[], Awaitable[T1]], Callable[[], Awaitable[T2]]]
    ) -> tuple[T1, T2]: ...
    @overload
    async def parallel(
        self,
        callables: tuple[Callable[[], Awaitable[T1]], Callable[[], Awaitable[T2]], Callable[[], Awaitable[T3]]],
    ) -> tuple[T1, T2, T3]: ...
    @overload
    async def parallel(self, callables: tuple[Callable[[], Awaitable[T]], ...]) -> tuple[T, ...]: ...
    async def parallel(self, callables: tuple[Callable[[], Awaitable[Any]], ...]) -> tuple[Any, ...]:
        """Run the steps of all callables side by side; what they return, in order, when all have ended."""
        collector = Collector(self._execution, callables)
        for lane in collector.lanes():
            try:
                lane.returned(await lane.callable())
            except BaseException as error:
                lane.raised(error)
        return collector.result()
