"""Steps whose outcome a test decides."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.core import ids
from chalicelib.core.calls import CallRequest, Opcode, Operation, Operations, Reply
from chalicelib.engine.ports import Driver
from chalicelib.sdk.failures import describe
from chalicelib.sdk.outputs import to_json

_REPEATS = 100


@dataclass(frozen=True)
class Stub:
    """What the step answers: a value, or an error."""

    output: Any = None
    error: Exception | None = None


class StubbingDriver:
    """Implements engine.ports.Driver: answers for stubbed steps itself and asks the real driver for the rest."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self._stubs: dict[str, dict[str, tuple[str, Stub]]] = {}

    def stub(self, fn_id: str, step_id: str, stub: Stub) -> None:
        known = self._stubs.setdefault(fn_id, {})
        for repeat in range(_REPEATS):
            known[ids.hashed_step_id(step_id, repeat)] = (step_id, stub)

    def call(self, request: CallRequest) -> Reply:
        stubs = self._stubs.get(request.fn_id)
        if stubs is None:
            return self.driver.call(request)
        if request.target is not None and request.target in stubs:
            return Operations((_answer(request.target, *stubs[request.target]),))
        if request.target is None and not request.plan_only:
            planned = self.driver.call(replace(request, plan_only=True))
            if isinstance(planned, Operations) and len(planned.ops) == 1:
                op = planned.ops[0]
                if op.op is Opcode.STEP_PLANNED and op.id in stubs:
                    return Operations((_answer(op.id, *stubs[op.id]),))
        return self.driver.call(request)


def _answer(hashed: str, name: str, stub: Stub) -> Operation:
    error = stub.error
    if error is None:
        try:
            output, size = to_json(stub.output, f"the stubbed output of step {name!r}")
            return Operation(op=Opcode.STEP_RUN, id=hashed, name=name, output=output, size_bytes=size)
        except Exception as problem:
            error = problem
    failure = describe(error, time.time_ns() // 1_000_000)
    return Operation(
        op=Opcode.STEP_ERROR if failure.retriable else Opcode.STEP_FAILED,
        id=hashed,
        name=name,
        error=failure.error,
        retriable=failure.retriable,
        retry_after_ms=failure.retry_after_ms,
    )
