"""Runs functions written in Python in this process."""

from __future__ import annotations

import inspect
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chalicelib.core.calls import (
    CallRequest,
    ErrorInfo,
    Opcode,
    Operation,
    Operations,
    Raised,
    Reply,
    Returned,
)
from chalicelib.core.clock import Clock
from chalicelib.sdk.context import AsyncContext, Context
from chalicelib.sdk.execution import Execution, OutgoingEvent, SendEvents, SendSignal
from chalicelib.sdk.failures import describe
from chalicelib.sdk.function import Function
from chalicelib.sdk.outputs import to_json
from chalicelib.sdk.registry import Registry
from chalicelib.sdk.running import Suspended, is_suspension

__all__ = ["InProcessDriver", "OutgoingEvent", "SendEvents"]


class InProcessDriver:
    """Calls registered functions. Has no state of its own: threads may call at once.

    `send_events(run_id, hashed_step_id, events)` gives ids, the same for the same step; `send_signal(run_id,
    hashed_step_id, signal, data)` the run that waited for it. What they raise, other than a UserError, leaves `call`:
    it is no failure of the function.
    """

    def __init__(self, registry: Registry, send_events: SendEvents, send_signal: SendSignal, clock: Clock) -> None:
        self._registry = registry
        self._send_events = send_events
        self._send_signal = send_signal
        self._clock = clock

    def call(self, request: CallRequest) -> Reply:
        """Enter the function once."""
        item = self._registry.get(request.fn_id)
        if item is None:
            return _not_deployed(request.fn_id)
        if item.is_async and _in_event_loop():
            # Called from asynchronous code, a test for instance: a loop cannot run within a loop.
            with ThreadPoolExecutor(max_workers=1) as pool:
                return pool.submit(self._call, item, request).result()
        return self._call(item, request)

    def _call(self, item: Function[Any], request: CallRequest) -> Reply:
        execution = Execution(request, self._send_events, self._send_signal, self._clock)
        output, error = _enter(item, execution)
        try:
            return self._reply(execution, output, error)
        finally:
            execution.close()
            if error is not None and error is not execution.aborted:
                error.__traceback__ = None

    def _reply(self, execution: Execution, output: object, error: BaseException | None) -> Reply:
        if execution.aborted is not None:
            raise execution.aborted
        suspension = execution.suspension
        if suspension is not None and not is_suspension(error):
            how = "returned" if error is None else f"raised {type(error).__name__}"
            execution.swallowed(how)
        if execution.fault is not None:
            return Raised(execution.fault, retriable=False)
        if suspension is not None:
            return _operations(execution, suspension)
        if error is not None:
            failure = describe(error, self._clock.now_ms())
            return Raised(failure.error, failure.retriable, failure.retry_after_ms, execution.changes)
        if execution.request.target is not None:
            return _operations(execution, None)
        return self._returned(execution, output)

    def _returned(self, execution: Execution, output: object) -> Reply:
        if inspect.iscoroutine(output):
            output.close()
        try:
            value, size = to_json(output, f"what function {execution.request.fn_id!r} returned")
        except Exception as problem:
            return Raised(describe(problem, self._clock.now_ms()).error, retriable=False)
        return Returned(value, size, unseen_steps=execution.unasked, changes=execution.changes)


def _enter(item: Function[Any], execution: Execution) -> tuple[object, BaseException | None]:
    """What the function returned, or what it raised, SystemExit and the like included."""
    try:
        if not item.is_async:
            return item.handler(Context(execution)), None
        import asyncio  # 20 ms of a cold start, for those who need it.

        with asyncio.Runner() as runner:
            return runner.run(item.handler(AsyncContext(execution))), None
    except BaseException as error:
        return None, error


def _in_event_loop() -> bool:
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _operations(execution: Execution, suspension: Suspended | None) -> Operations:
    ops = () if suspension is None else suspension.ops
    target = execution.request.target
    if target is not None and not ops:
        ops = (_not_found(target),)
    return Operations(ops, execution.unseen, execution.changes)


def _not_found(target: str) -> Operation:
    error = ErrorInfo.of(
        "StepNotFound",
        "the function did not come to this step again: between two attempts its code, or what it "
        "decides by outside of steps (the time, chance, a database), has changed",
    )
    return Operation(Opcode.STEP_NOT_FOUND, target, "", error=error, retriable=False)


def _not_deployed(fn_id: str) -> Raised:
    message = (
        f"function {fn_id!r} is not in this deployment: it was renamed or removed while runs of it were "
        "under way; deploy it again under this fn_id, or delete the run"
    )
    return Raised(ErrorInfo.of("FunctionNotFound", message), retriable=False)
