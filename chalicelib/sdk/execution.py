"""One entry into a function: which steps are memoised, which is run or reported, how the function is left.

A step that has no result yet leaves the function by raising Suspended, which is no Exception, so that `except
Exception` in the function lets it pass. The engine records what was asked for and enters the function again.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from chalicelib.core import limits
from chalicelib.core.calls import CallRequest, ErrorInfo, Opcode, Operation, purpose
from chalicelib.core.clock import Clock
from chalicelib.core.errors import UserError
from chalicelib.core.ids import hashed_step_id
from chalicelib.core.steps import StepKind
from chalicelib.sdk.errors import InvalidStepError, NonRetriableError, StepError
from chalicelib.sdk.event import copy_json
from chalicelib.sdk.failures import describe
from chalicelib.sdk.lanes import Group, Lane, claim
from chalicelib.sdk.running import RunningStep, StepKey, Suspended, is_inside_step

T = TypeVar("T")

OutgoingEvent = dict[str, Any]
SendEvents = Callable[[str, str, list[OutgoingEvent]], list[str]]
"""Sends events for (run id, hashed step id); the same step's events get the same ids each time."""
SendSignal = Callable[[str, str, str, Any], str | None]
"""Sends a signal for (run id, hashed step id): its name and data; the run that waited for it, if one did."""

_MAX_CONTEXT: Final = 50
_KINDS: Final = {
    Opcode.SLEEP: StepKind.SLEEP,
    Opcode.WAIT_FOR_EVENT: StepKind.WAIT,
    Opcode.WAIT_FOR_SIGNAL: StepKind.SIGNAL,
    Opcode.INVOKE_FUNCTION: StepKind.INVOKE,
}
SWALLOWED: Final = (
    "Steps suspend the function by raising, and the function must let that pass: catch Exception, not "
    "BaseException; use no bare `except:`, no contextlib.suppress(BaseException) and no `return` in "
    "`finally` around steps, and in an `async def` function await every step."
)


@dataclass(frozen=True)
class Recalled:
    """The output of a memoised step."""

    output: Any


class Execution:
    """The state of one entry. Belongs to one call and is used by its thread only."""

    def __init__(self, request: CallRequest, send_events: SendEvents, send_signal: SendSignal, clock: Clock) -> None:
        self.request = request
        self.clock = clock
        self.lane: Lane | None = None
        self.suspension: Suspended | None = None
        # What ends the run, whatever the function does with its exceptions.
        self.fault: ErrorInfo | None = None
        # What is no fault of the function and goes to the driver's caller.
        self.aborted: BaseException | None = None
        self.unseen: tuple[str, ...] = ()
        self._send_events = send_events
        self._send_signal = send_signal
        self._counts: dict[str, int] = {}
        self._unasked = set(request.steps)
        self._changes: dict[str, str] = {}
        self._running: RunningStep | None = None
        self._thread = threading.get_ident()
        self._suspended_task: object = None
        self._closed = False

    @property
    def replaying(self) -> bool:
        """Whether the code that runs now has run before, in an earlier entry of the same attempt."""
        if self._running is not None:
            return False
        return self.suspension is not None or self.request.target is not None or bool(self._unasked)

    @property
    def unasked(self) -> tuple[str, ...]:
        """Memoised steps that the function has not asked for."""
        return tuple(sorted(self._unasked))

    @property
    def changes(self) -> tuple[str, ...]:
        """Memoised steps that are something else now, in words."""
        return tuple(self._changes.values())

    def begin(self, step_id: str, handler: object) -> Recalled | RunningStep:
        """The memoised output of a run-step, or the step begun. Raises Suspended if it is not to run now."""
        key = self._claim(step_id)
        memo = self._recall(key, StepKind.RUN.value)
        if memo is not None:
            return memo
        if not callable(handler):
            raise InvalidStepError(
                f"step {key.name!r} needs a function to run, not {type(handler).__name__}: "
                "pass the function itself and its arguments behind it, as in ctx.step.run('id', fn, argument)"
            )
        self._skip_unless_target(key)
        if self.request.target is None and (self.lane is not None or self.request.plan_only):
            raise self.suspend(key.name, (self._operation(Opcode.STEP_PLANNED, key),))
        self._running = RunningStep(self, key)
        return self._running

    def ask(self, step_id: str, build: Callable[[Operation], Operation]) -> Any:
        """The memoised output of a step that the engine carries out. Raises Suspended when there is none yet.

        `build` completes an operation; the errors that it raises become InvalidStepErrors naming the step.
        """
        key = self._claim(step_id)
        asked = self._operation(Opcode.SLEEP, key)
        memo = self._recall(key, _purpose(build, asked) if key.id in self.request.steps else "")
        if memo is not None:
            return memo.output
        if self.request.target is not None:
            raise self.suspend(key.name, ())
        try:
            operation = build(asked)
        except (UserError, NonRetriableError) as error:
            raise InvalidStepError(f"step {key.name!r}: {error}") from None
        raise self.suspend(key.name, (operation,))

    def send(self, key: StepKey, events: list[OutgoingEvent]) -> list[str]:
        """Send events for the step. What fails there and is no mistake of the user's leaves the function."""
        return self._outside(key, lambda: self._send_events(self.request.run_id, key.id, events))

    def send_signal(self, key: StepKey, signal: str, data: object) -> str | None:
        """Send a signal for the step; the run that waited for it. What fails as above."""
        return self._outside(key, lambda: self._send_signal(self.request.run_id, key.id, signal, data))

    def _outside(self, key: StepKey, work: Callable[[], T]) -> T:
        try:
            return work()
        except UserError:
            raise
        except BaseException as error:
            self.aborted = error
            raise self.suspend(key.name, ()) from None

    def suspend(
        self, at: str, ops: tuple[Operation, ...], *, final: bool = False, past_others: bool = True
    ) -> Suspended:
        """The exception to leave the function with. `past_others`: steps not asked for by now are gone."""
        if past_others and self.lane is None and self.request.target is None:
            self.unseen = self.unasked
        self.suspension = Suspended(at, ops, final=final)
        self._suspended_task = _current_task()
        return self.suspension

    def refuse(self, message: str) -> InvalidStepError:
        """A misuse that ends the run even if the function catches the error."""
        error = InvalidStepError(message)
        if self.fault is None:
            self.fault = describe(error, self.clock.now_ms()).error
        return error

    def swallowed(self, how: str) -> None:
        """The function caught the suspension and went on."""
        assert self.suspension is not None
        at = self.suspension.at
        self.refuse(f"the function caught Stepwell's suspension at step {at!r} and {how}. {SWALLOWED}")

    def close(self) -> None:
        """The entry is over: what Python still cleans up of the function, generators for instance, runs no step.
        The suspension is forgotten, as its traceback and the function's frames refer to each other."""
        self._closed = True
        self.suspension = None

    def ended(self, step: RunningStep) -> None:
        """The running step is over."""
        assert self._running is step
        self._running = None

    def check_place(self, what: str) -> None:
        """Whether a step may be called here and now. Raises InvalidStepError, or Suspended again."""
        if self._closed:
            raise _generator_exit() or Suspended(what, ())
        if threading.get_ident() != self._thread:
            raise self.refuse(
                f"{what} was called in another thread: call steps in the function itself, and use "
                "ctx.group.parallel to run them side by side"
            )
        if self._running is not None:
            outer = self._running.key.name
            if is_inside_step():
                raise self._running.refuse(
                    f"{what} was called inside step {outer!r}: steps cannot be nested; call one after the other"
                )
            raise self.refuse(
                f"{what} was called while step {outer!r} was running: use ctx.group.parallel to run steps side by side"
            )
        if self.suspension is not None:
            if error := _generator_exit():
                raise error
            if not self._leaving():
                how = f"called {what}"
                if _current_task() is not self._suspended_task:
                    how += " in another task (use ctx.group.parallel to run steps side by side)"
                self.swallowed(how)
            raise self.suspension

    def enter_group(self) -> Group:
        """Begin a parallel group."""
        self.check_place("ctx.group.parallel")
        return Group.under(self.lane)

    def _leaving(self) -> bool:
        """Whether the suspension is on its way out: this is a `finally` or `except` that it passes."""
        error = sys.exc_info()[1]
        for _ in range(_MAX_CONTEXT):
            if error is None or error is self.suspension:
                return error is not None
            error = error.__context__
        return False

    def _claim(self, step_id: str) -> StepKey:
        _check_id(step_id)
        self.check_place(f"step {step_id!r}")
        if self.lane is not None and not claim(self.lane, step_id):
            raise self.refuse(
                f"step {step_id!r} is used by several callables of ctx.group.parallel after their first "
                "steps; which is which would depend on the order in which they finish: give each step of the "
                "group its own id"
            )
        repeat = self._counts.get(step_id, 0)
        self._counts[step_id] = repeat + 1
        return StepKey(hashed_step_id(step_id, repeat), step_id)

    def _recall(self, key: StepKey, now: str) -> Recalled | None:
        memo = self.request.steps.get(key.id)
        if memo is None:
            return None
        self._unasked.discard(key.id)
        if memo.purpose and now and memo.purpose != now:
            self._changes[key.id] = f"step {key.name!r} is recorded as {memo.purpose}, and is now {now}"
        if memo.error is not None:
            raise StepError(memo.error.message, memo.error.name, memo.error.stack)
        return Recalled(copy_json(memo.output))

    def _skip_unless_target(self, key: StepKey) -> None:
        if self.request.target not in (None, key.id):
            raise self.suspend(key.name, ())

    def _operation(self, op: Opcode, key: StepKey) -> Operation:
        return Operation(op=op, id=key.id, name=key.name, started_at_ms=self.clock.now_ms())


def _purpose(build: Callable[[Operation], Operation], asked: Operation) -> str:
    """What a step that the engine carries out is for now; nothing where that cannot be told."""
    try:
        operation = build(asked)
    except (UserError, NonRetriableError):
        return ""
    return purpose(_KINDS[operation.op].value, () if operation.wait is None else operation.wait.awaited)


def _generator_exit() -> GeneratorExit | None:
    """The exception by which Python closes a generator, if it is closing the one that calls."""
    error = sys.exc_info()[1]
    return error if isinstance(error, GeneratorExit) else None


def _current_task() -> object:
    asyncio = sys.modules.get("asyncio")  # Not imported for functions that do without it: it takes 20 ms.
    if asyncio is None:
        return None
    try:
        return asyncio.current_task()
    except RuntimeError:  # No event loop.
        return None


def _check_id(step_id: object) -> None:
    rule = f"a step's id must be a text of 1 to {limits.MAX_STEP_NAME_CHARS} characters"
    if not isinstance(step_id, str):
        raise InvalidStepError(f"{rule}, not {type(step_id).__name__}")
    if not step_id or len(step_id) > limits.MAX_STEP_NAME_CHARS:
        raise InvalidStepError(f"{rule}; this one has {len(step_id)}: {step_id[:60]!r}")
    try:
        step_id.encode()
    except UnicodeEncodeError:
        raise InvalidStepError(f"{rule}; this one holds half of a surrogate pair: {step_id[:60]!r}") from None
