"""The step tools of `def` functions: ctx.step and ctx.group."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar, TypeVarTuple, overload

from chalicelib.sdk import requests
from chalicelib.sdk.errors import InvalidStepError
from chalicelib.sdk.event import Event
from chalicelib.sdk.execution import Execution, Recalled
from chalicelib.sdk.function import Function
from chalicelib.sdk.groups import Collector
from chalicelib.sdk.requests import Duration
from chalicelib.sdk.waiting import FirstEvent, Signal, WaitFor

T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
Ts = TypeVarTuple("Ts")


class Step:
    """What a function does durably. Each step has an id, best unique in its function, and ends once per run.

    Every method raises StepError when the step has failed for good, and InvalidStepError for arguments that
    cannot be used.
    """

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    def run(self, step_id: str, handler: Callable[[*Ts], T], *handler_args: *Ts) -> T:
        """Call `handler(*handler_args)`, again when it raises; keep what it returns (JSON, at most 4 MiB)."""
        step = self._execution.begin(step_id, handler)
        if isinstance(step, Recalled):
            output: T = step.output
            return output
        try:
            result = handler(*handler_args)
            if inspect.iscoroutine(result):
                result.close()
                raise InvalidStepError(
                    f"the handler of step {step_id!r} is asynchronous: make the function `async def` and await the step"
                )
        except BaseException as error:
            raise step.fail(error) from None
        raise step.complete(result)

    def sleep(self, step_id: str, duration: Duration) -> None:
        """Sleep for milliseconds, a timedelta or a text such as "7d"; at most 366 days."""
        self._execution.ask(step_id, requests.sleep(duration))

    def sleep_until(self, step_id: str, until: datetime) -> None:
        """Sleep until a moment (UTC if it has no time zone), at most 366 days ahead; if past, not at all."""
        self._execution.ask(step_id, requests.sleep_until(until))

    def wait_for_event(
        self,
        step_id: str,
        *,
        event: str,
        if_exp: str | None = None,
        timeout: Duration,
        lookback: Duration | Literal["run"] | None = None,
    ) -> Event | None:
        """The first event of this name for which `if_exp` is true, or None after `timeout`.

        In `if_exp`, `event` is the event that started the run and `async` the one waited for. With `lookback`, the
        newest one counts that was accepted so long before, or with "run" since the run's event, unless an earlier wait
        of the run consumed it. Left out, it is the function's `wait_lookback`; 0 looks at nothing before.
        """
        payload = self._execution.ask(step_id, requests.wait(event, if_exp, timeout, lookback))
        return None if payload is None else Event.from_payload(payload)

    def wait_for_any(
        self,
        step_id: str,
        events: Sequence[WaitFor],
        *,
        timeout: Duration,
        lookback: Duration | Literal["run"] | None = None,
    ) -> FirstEvent | None:
        """The first event to come of 2 to 10 that are waited for at once, and which it is; None after `timeout`.

        An event that is several of them counts as the first of these in the list. `lookback` as for wait_for_event.
        """
        found = self._execution.ask(step_id, requests.wait_for_any(events, timeout, lookback))
        return None if found is None else FirstEvent(found["index"], Event.from_payload(found["event"]))

    def wait_for_signal(
        self,
        step_id: str,
        *,
        signal: str,
        timeout: Duration,
        on_conflict: Literal["fail", "replace"] = "fail",
    ) -> Signal | None:
        """The signal of this name (512 characters at most), or None after `timeout`.

        One run waits for a signal. While another one does, the step fails; with "replace" it takes that one's place,
        whose step then fails.
        """
        found = self._execution.ask(step_id, requests.wait_for_signal(signal, timeout, on_conflict))
        return None if found is None else Signal(found["signal"], found["data"])

    def send_signal(self, step_id: str, *, signal: str, data: object = None) -> str | None:
        """Send a signal with its data (JSON); the id of the run that waited for it, or None when none did."""
        step = self._execution.begin(step_id, self._execution.send_signal)
        if isinstance(step, Recalled):
            run_id: str | None = step.output
            return run_id
        try:
            result = self._execution.send_signal(step.key, *requests.outgoing_signal(signal, data))
        except BaseException as error:
            raise step.fail(error) from None
        raise step.complete(result)

    def send_event(self, step_id: str, events: Event | list[Event]) -> list[str]:
        """Send events, once; their ids."""
        step = self._execution.begin(step_id, self._execution.send)
        if isinstance(step, Recalled):
            ids: list[str] = step.output
            return ids
        try:
            result = self._execution.send(step.key, requests.outgoing(events))
        except BaseException as error:
            raise step.fail(error) from None
        raise step.complete(result)

    def invoke(
        self,
        step_id: str,
        *,
        function: Function[T],
        data: Mapping[str, object] | None = None,
        user: Mapping[str, object] | None = None,
        v: str | None = None,
        timeout: Duration | None = None,
    ) -> T:
        """Start another function with an event of this `data` and return what it returns.

        StepError when it fails, is cancelled, or has not ended within `timeout` (365 days by default).
        """
        output: T = self._execution.ask(step_id, requests.invoke(function, data, user, v, timeout))
        return output

    def invoke_by_id(
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
        return self._execution.ask(step_id, requests.invoke_by_id(function_id, data, user, v, timeout))


class Group:
    """Steps side by side."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    @overload
    def parallel(self, callables: tuple[Callable[[], T1], Callable[[], T2]]) -> tuple[T1, T2]: ...
    @overload
    def parallel(self, callables: tuple[Callable[[], T1], Callable[[], T2], Callable[[], T3]]) -> tuple[T1, T2, T3]: ...
    @overload
    def parallel(self, callables: tuple[Callable[[], T], ...]) -> tuple[T, ...]: ...
    def parallel(self, callables: tuple[Callable[[], Any], ...]) -> tuple[Any, ...]:
        """Run the steps of all callables side by side; what they return, in order, when all have ended.

        A callable holds one step or several that follow each other. If callables raise, the first one's error
        is raised when all have ended.
        """
        collector = Collector(self._execution, callables)
        for lane in collector.lanes():
            try:
                lane.returned(lane.callable())
            except BaseException as error:
                lane.raised(error)
        return collector.result()
