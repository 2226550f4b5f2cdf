"""A tiny engine: it keeps memos, carries out what a function asks for at once, and enters the function again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chalicelib.core.calls import (
    CallRequest,
    ErrorInfo,
    Memo,
    Opcode,
    Operation,
    Operations,
    Raised,
    Reply,
    Returned,
)
from chalicelib.core.events import Event
from chalicelib.core.ids import hashed_step_id
from chalicelib.drivers.in_process import InProcessDriver, OutgoingEvent
from chalicelib.sdk import Function, Registry, TriggerEvent, function

NOW_MS = 1_800_000_000_000
ENDED = (Opcode.STEP_RUN, Opcode.STEP_ERROR, Opcode.STEP_FAILED)


class FixedClock:
    """Tells the same time, one millisecond later each time."""

    def __init__(self) -> None:
        self.ms = NOW_MS

    def now_ms(self) -> int:
        self.ms += 1
        return self.ms


def step_id(name: str, repeat: int = 0) -> str:
    return hashed_step_id(name, repeat)


def event(**data: Any) -> Event:
    return Event(internal_id="01E", received_at_us=1, id="01E", name="test/event", data=data, ts=5)


def durable(handler: Callable[..., Any], fn_id: str = "fn", **options: Any) -> Function[Any]:
    """The handler as a function."""
    return function(fn_id=fn_id, trigger=TriggerEvent(event="test/event"), **options)(handler)


@dataclass
class Harness:
    """One run of one function. `outside` holds the outputs of waits and invocations by step name."""

    handler: Callable[..., Any]
    data: dict[str, Any] = field(default_factory=dict)
    outside: dict[str, Any] = field(default_factory=dict)
    memos: dict[str, Memo] = field(default_factory=dict)
    asked: list[Operation] = field(default_factory=list)
    sent: list[tuple[str, str, list[OutgoingEvent]]] = field(default_factory=list)
    signals: list[tuple[str, str, str, Any]] = field(default_factory=list)
    # The run that waits for the signals that are sent.
    signalled: str | None = None
    attempt: int = 0
    send_error: BaseException | None = None
    clock: FixedClock = field(default_factory=FixedClock)

    def __post_init__(self) -> None:
        self.driver = InProcessDriver(Registry([durable(self.handler)]), self._send, self._send_signal, self.clock)

    def _send(self, run: str, step: str, events: list[OutgoingEvent]) -> list[str]:
        if self.send_error is not None:
            raise self.send_error
        self.sent.append((run, step, events))
        return [f"{step[:6]}-{index}" for index in range(len(events))]

    def _send_signal(self, run: str, step: str, signal: str, data: Any) -> str | None:
        if self.send_error is not None:
            raise self.send_error
        self.signals.append((run, step, signal, data))
        return self.signalled

    def call(self, target: str | None = None, *, plan_only: bool = False, fn_id: str = "fn") -> Reply:
        """Enter the function once."""
        return self.driver.call(
            CallRequest(
                run_id="run",
                fn_id=fn_id,
                attempt=self.attempt,
                max_attempts=5,
                event=event(**self.data),
                steps=dict(self.memos),
                target=target,
                plan_only=plan_only,
            )
        )

    def ops(self, target: str | None = None, *, plan_only: bool = False) -> tuple[Operation, ...]:
        """Enter once and expect operations."""
        reply = self.call(target, plan_only=plan_only)
        assert isinstance(reply, Operations), reply
        return reply.ops

    def op(self, target: str | None = None) -> Operation:
        """Enter once and expect one operation."""
        (op,) = self.ops(target)
        return op

    def raised(self, target: str | None = None) -> Raised:
        """Enter once and expect an error outside of steps."""
        reply = self.call(target)
        assert isinstance(reply, Raised), reply
        return reply

    def memo(self, name: str, output: Any = None, *, error: ErrorInfo | None = None, repeat: int = 0) -> None:
        """Memoise a step."""
        self.memos[step_id(name, repeat)] = Memo(output=output, error=error)

    def drive(self, max_entries: int = 50) -> Any:
        """Enter the function until it returns; its output. A step that fails once has failed for good."""
        for _ in range(max_entries):
            reply = self.call()
            match reply:
                case Returned():
                    return reply.output
                case Raised():
                    raise AssertionError(f"the function raised {reply.error}")
                case Operations():
                    for op in reply.ops:
                        self._carry_out(op)
        raise AssertionError(f"not at an end after {max_entries} entries")

    def _carry_out(self, op: Operation) -> None:
        if op.op is Opcode.STEP_PLANNED:
            op = self.op(op.id)
        self.asked.append(op)
        output = op.output if op.op in ENDED else self.outside.get(op.name)
        self.memos[op.id] = Memo(output=output, error=op.error)

    @property
    def history(self) -> list[str]:
        """The steps in the order in which they were carried out."""
        return [f"{op.op.value} {op.name}" for op in self.asked]
