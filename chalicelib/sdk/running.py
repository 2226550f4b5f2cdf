"""A step that runs now, and the exception with which it leaves the function."""

from __future__ import annotations

from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chalicelib.core.calls import Opcode, Operation
from chalicelib.sdk.errors import InvalidStepError
from chalicelib.sdk.failures import describe
from chalicelib.sdk.outputs import to_json

if TYPE_CHECKING:
    from chalicelib.sdk.execution import Execution

_inside_step: ContextVar[str | None] = ContextVar("stepwell_inside_step", default=None)


def is_inside_step() -> bool:
    """Whether the caller is part of a step's handler (rather than of a task beside it)."""
    return _inside_step.get() is not None


class Suspended(BaseException):
    """Leaves the function at a step. `final`: the target of the call was run, and nothing else matters."""

    def __init__(self, at: str, ops: tuple[Operation, ...], *, final: bool = False) -> None:
        super().__init__(f"suspended at step {at!r}; let this exception pass")
        self.at = at
        self.ops = ops
        self.final = final


def is_suspension(error: BaseException | None) -> bool:
    """A suspension, alone or as an asyncio.TaskGroup wraps it."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_suspension(item) for item in error.exceptions)
    return isinstance(error, Suspended)


@dataclass(frozen=True)
class StepKey:
    """A step: its hashed id and the name that the user gave it."""

    id: str
    name: str


class RunningStep:
    """A step whose handler runs now. Its end is an operation that leaves the function."""

    def __init__(self, execution: Execution, key: StepKey) -> None:
        self.key = key
        self._execution = execution
        self._started_at_ms = execution.clock.now_ms()
        self._refused: InvalidStepError | None = None
        self._token: Token[str | None] = _inside_step.set(key.name)

    def refuse(self, message: str) -> InvalidStepError:
        """A misuse that fails the step even if its handler catches the error."""
        self._refused = InvalidStepError(message)
        return self._refused

    def complete(self, output: object) -> Suspended:
        """The handler returned. An output that cannot be stored fails the step for good."""
        if self._refused is not None:
            return self.fail(self._refused)
        try:
            value, size = to_json(output, f"the output of step {self.key.name!r}")
        except Exception as error:
            return self.fail(error)
        return self._end(Operation(Opcode.STEP_RUN, self.key.id, self.key.name, output=value, size_bytes=size))

    def fail(self, error: BaseException) -> Suspended:
        """The handler raised."""
        if self._execution.aborted is not None:
            return self._end(None)
        failure = describe(self._refused or error, self._execution.clock.now_ms())
        return self._end(
            Operation(
                Opcode.STEP_ERROR if failure.retriable else Opcode.STEP_FAILED,
                self.key.id,
                self.key.name,
                error=failure.error,
                retriable=failure.retriable,
                retry_after_ms=failure.retry_after_ms,
            )
        )

    def _end(self, operation: Operation | None) -> Suspended:
        _inside_step.reset(self._token)
        self._execution.ended(self)
        if operation is None:
            return self._execution.suspend(self.key.name, (), final=True)
        now = self._execution.clock.now_ms()
        operation = replace(operation, started_at_ms=self._started_at_ms, ended_at_ms=now)
        return self._execution.suspend(self.key.name, (operation,), final=self._execution.request.target is not None)
