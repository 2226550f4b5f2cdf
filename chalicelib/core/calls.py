"""The protocol between the engine and whatever runs a function: one request, one reply.

A reply is what the function returned, what it raised, or a list of operations (opcodes, named as in the SDK
protocol). The engine carries them out, records what must be recorded and calls again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.core import ids, limits
from chalicelib.core.durations import Lookback
from chalicelib.core.events import Event


class ErrorInfo(BaseModel):
    """An error of the user's code as it is kept and shown."""

    model_config = ConfigDict(frozen=True)

    name: str
    message: str
    stack: str | None = None

    @classmethod
    def of(cls, name: str, message: str, stack: str | None = None) -> ErrorInfo:
        """The error, its texts cut to what is kept."""
        cut = limits.MAX_ERROR_CHARS
        return cls(name=name[:256], message=message[:cut], stack=None if stack is None else stack[-cut:])


class Memo(BaseModel):
    """A finished step as the function sees it: its output, or the error that it ended with.

    An app on an SDK gets outputs wrapped, `{"data": …}`, but for those that are bare: what a sleep and a wait give.
    `purpose` tells what the step did, to be compared with what the code now has in its place.
    """

    model_config = ConfigDict(frozen=True)

    output: Any = None
    error: ErrorInfo | None = None
    is_bare: bool = False
    purpose: str = ""


@dataclass(frozen=True)
class CallRequest:
    """One entry into a function.

    `target` is the hashed id of the planned step to run, if the call is for one. With `plan_only` the function's
    next step is reported as planned instead of being run.

    What apps on an SDK are told besides: `stack`, the ids of the ended steps in the order in which they ended;
    `has_planned`, whether steps of the run were planned, so that the next single one must be, too; `queue_item_id`,
    which names this delivery's lease (core.runs.Owner), so that a checkpoint can be held against it; `deadline_ms`,
    when the invocation ends that makes the call. `rest`: the other events of a batch.
    """

    run_id: str
    fn_id: str
    attempt: int
    max_attempts: int
    event: Event
    steps: dict[str, Memo]
    target: str | None = None
    plan_only: bool = False
    stack: tuple[str, ...] = ()
    has_planned: bool = False
    queue_item_id: str = ""
    deadline_ms: int | None = None
    rest: tuple[Event, ...] = ()


class Opcode(StrEnum):
    """What a function asks for."""

    STEP_RUN = "StepRun"
    STEP_PLANNED = "StepPlanned"
    STEP_ERROR = "StepError"
    STEP_FAILED = "StepFailed"
    STEP_NOT_FOUND = "StepNotFound"
    SLEEP = "Sleep"
    WAIT_FOR_EVENT = "WaitForEvent"
    WAIT_FOR_SIGNAL = "WaitForSignal"
    INVOKE_FUNCTION = "InvokeFunction"
    AI_GATEWAY = "AIGateway"
    GATEWAY = "Gateway"
    RUN_COMPLETE = "RunComplete"
    DISCOVERY_REQUEST = "DiscoveryRequest"


class Awaited(BaseModel):
    """An event that a step waits for: its name, and what must hold of it."""

    model_config = ConfigDict(frozen=True)

    event: str
    if_exp: str | None = None

    def wire(self) -> dict[str, str]:
        """What the API shows."""
        return {"event": self.event} | ({} if self.if_exp is None else {"if": self.if_exp})


def purpose(kind: str, awaited: Sequence[Awaited] = ()) -> str:
    """What a step is for, in words: its kind and, of a wait, what it waits for."""
    events = [one.event if one.if_exp is None else f"{one.event} if {one.if_exp}" for one in awaited]
    return f"{kind} for {', '.join(events)}" if events else kind


class WaitOptions(BaseModel):
    """A wait for an event or, with `is_choice`, for the first of several.

    `timeout_ms` counts from the registration. `lookback`: events accepted before it count, too; None: as the function
    says.
    """

    model_config = ConfigDict(frozen=True)

    awaited: tuple[Awaited, ...] = Field(min_length=1, max_length=limits.MAX_CHOICES)
    is_choice: bool = False
    timeout_ms: int
    lookback: Lookback | None = None


class InvokeOptions(BaseModel):
    """The invocation of another function of ours."""

    model_config = ConfigDict(frozen=True)

    function_id: str
    data: dict[str, Any] = Field(default_factory=dict)
    user: dict[str, Any] = Field(default_factory=dict)
    v: str | None = None
    timeout_ms: int = limits.DEFAULT_INVOKE_TIMEOUT_MS


class SignalOptions(BaseModel):
    """A wait for a signal. Of several waits for one signal, the first stays; with `replaces`, the last does."""

    model_config = ConfigDict(frozen=True)

    signal: str = Field(min_length=1, max_length=limits.MAX_SIGNAL_CHARS)
    timeout_ms: int = limits.DEFAULT_INVOKE_TIMEOUT_MS
    replaces: bool = False


class GatewayOptions(BaseModel):
    """An HTTP request that Stepwell makes for a step, so that no process of the app waits for its answer."""

    model_config = ConfigDict(frozen=True)

    url: str
    method: str = "POST"
    headers: dict[str, str] = Field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True)
class Operation:
    """One opcode of a reply.

    Times are milliseconds since the epoch, as the driver saw them. `retry_after_ms` is a moment, too.
    """

    op: Opcode
    id: str
    name: str
    output: Any = None
    error: ErrorInfo | None = None
    retriable: bool = True
    retry_after_ms: int | None = None
    sleep_until_ms: int | None = None
    wait: WaitOptions | None = None
    invoke: InvokeOptions | None = None
    signal: SignalOptions | None = None
    gateway: GatewayOptions | None = None
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    size_bytes: int = 0

    @property
    def is_of_run(self) -> bool:
        """Whether it tells of the run itself: SDKs report an error of the function so where other operations are told
        with it. A step that is called `complete` has the same id, but a name of its own."""
        return self.id == RUN_ITSELF and self.name in ("", self.id)


RUN_ITSELF: Final = ids.hashed_step_id("complete", 0)
"""The id under which SDKs report the end of a run."""


@dataclass(frozen=True)
class Returned:
    """The function returned; `output` is JSON. `unseen_steps` and `changes` as in Operations."""

    output: Any
    size_bytes: int
    unseen_steps: tuple[str, ...] = field(default=())
    changes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Raised:
    """The function raised outside of a step. `changes` as in Operations."""

    error: ErrorInfo
    retriable: bool = True
    retry_after_ms: int | None = None
    changes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Operations:
    """The function asks for these steps."""

    ops: tuple[Operation, ...]
    # Memoised steps that the function went past or no longer has are told on the timeline; so are those that are
    # something else now.
    unseen_steps: tuple[str, ...] = field(default=())
    changes: tuple[str, ...] = field(default=())


Reply = Returned | Raised | Operations
