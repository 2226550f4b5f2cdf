"""A step's record: one item in its run's partition, from which memo and timeline are read."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.core.calls import Awaited, ErrorInfo, Memo, purpose
from chalicelib.core.durations import Lookback
from chalicelib.core.stored import Stored

FUNCTION_ENTRY = "function"
"""The id of the record that counts the failures of the function's own code, outside of steps."""


class StepStatus(StrEnum):
    PLANNED = "planned"
    RETRYING = "retrying"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        return self in (StepStatus.COMPLETED, StepStatus.FAILED)


class StepKind(StrEnum):
    RUN = "run"
    SLEEP = "sleep"
    WAIT = "wait_for_event"
    INVOKE = "invoke"
    SIGNAL = "wait_for_signal"
    # Requests that are made for the step.
    FETCH = "fetch"
    INFER = "ai_infer"
    FUNCTION = "function"


class CauseKind(StrEnum):
    EVENT = "event"
    TIMER = "timer"
    RUN = "run"
    API = "api"
    SIGNAL = "signal"
    SINGLETON = "singleton"
    TIMEOUT = "timeout"


class Cause(BaseModel):
    """What completed a step or ended a run from outside: an event (its internal id), a signal (its name, and the step
    that sent it), a run, the clock, the API, the run that has a singleton's place instead, or a timeout (its name)."""

    model_config = ConfigDict(frozen=True)

    kind: CauseKind
    id: str | None = None
    name: str | None = None


class Attempt(Stored):
    """One try that failed. Times in milliseconds since the epoch."""

    started_at_ms: int
    ended_at_ms: int
    error: ErrorInfo


class PauseKey(BaseModel):
    """Where a row of the pause index lies, so that it can be removed."""

    model_config = ConfigDict(frozen=True)

    key: str
    row: str


class TimerKey(BaseModel):
    """Where a far timer lies, so that it can be removed."""

    model_config = ConfigDict(frozen=True)

    due_ms: int
    name: str


class StepPlan(Stored):
    """What is known of a step before it ends; written when it is planned, registered or recorded, and again when an
    attempt fails."""

    name: str
    kind: StepKind
    started_at_ms: int
    attempts: tuple[Attempt, ...] = ()
    planned: bool = False
    wait_event: str | None = None
    wait_if: str | None = None
    # Of a wait for the first of several events.
    wait_any: tuple[Awaited, ...] = ()
    # Of a wait that looks back: how far it was asked to, and after which time of acceptance events count.
    lookback: Lookback | None = None
    accept_after_us: int | None = None
    # Events that had resumed the run before this wait, if it looks back or they are too many for its rows.
    spent: tuple[str, ...] = ()
    invokes: str | None = None
    invoked_run: str | None = None
    signal: str | None = None
    # The request that is made for the step, without what may be secret.
    request: str | None = None
    pauses: tuple[PauseKey, ...] = ()
    timer: TimerKey | None = None
    warnings: tuple[str, ...] = ()
    # Of the function's own record: how many steps had ended when it failed; other steps since begin a new count.
    after_steps: int | None = None
    earlier_attempts: int = 0
    # How many records the run had before this one: the order of what began in one millisecond.
    nth: int = 0
    # Others were under way when it was asked for.
    beside: bool = False
    # It was not executed in this run: its result is that of the run which was replayed.
    copied: bool = False

    @property
    def is_side_by_side(self) -> bool:
        """Whether it is one of several that may end in any order."""
        return self.planned or self.beside

    @property
    def is_wait(self) -> bool:
        """Whether it waits for what somebody sends."""
        return self.kind in (StepKind.WAIT, StepKind.SIGNAL)

    @property
    def is_request(self) -> bool:
        """Whether it is a request that the engine makes."""
        return self.kind in (StepKind.FETCH, StepKind.INFER)

    @property
    def awaited(self) -> tuple[Awaited, ...]:
        """What a wait waits for."""
        if self.wait_event is not None:
            return (Awaited(event=self.wait_event, if_exp=self.wait_if),)
        return self.wait_any


class StepOutcome(BaseModel):
    """How a step ended. `output` is JSON; a step that failed for good has an `error`."""

    model_config = ConfigDict(frozen=True)

    ended_at_ms: int
    output: Any = None
    error: ErrorInfo | None = None
    cause: Cause | None = None
    size_bytes: int = 0
    # The event that caused it was found by looking back.
    looked_back: bool = False


class StepRecord(BaseModel):
    """A step as it is stored."""

    model_config = ConfigDict(frozen=True)

    id: str
    status: StepStatus
    plan: StepPlan
    wake_at_ms: int | None = None
    # Of a wait that has not looked back to the end: events that stand before this position are still to be looked at.
    look_before: str | None = None
    outcome: StepOutcome | None = None
    starts: int = 0
    lease_until_ms: int | None = None
    # Of steps side by side: in which place the function was first told of its end.
    place: int | None = None
    # When the stored item may go, in seconds since the epoch.
    expires_at_s: int = 0

    @property
    def memo(self) -> Memo:
        """What the function sees of a step that ended."""
        assert self.outcome is not None
        is_bare = self.plan.kind in (StepKind.SLEEP, StepKind.WAIT)
        did = purpose(self.plan.kind.value, self.plan.awaited)
        return Memo(output=self.outcome.output, error=self.outcome.error, is_bare=is_bare, purpose=did)

    @property
    def is_looking_back(self) -> bool:
        """Whether it waits and may find its event among those of before."""
        return self.status is StepStatus.WAITING and self.look_before is not None

    @property
    def failures(self) -> int:
        """Failed attempts since the count began."""
        return len(self.plan.attempts) - self.plan.earlier_attempts


class StepLease(BaseModel):
    """The answer to a planned step's request for its lease."""

    model_config = ConfigDict(frozen=True)

    granted: bool
    step: StepRecord | None = None
    own_message: bool = False
    lease_until_ms: int = 0
    # Raised by whoever brings news to its holder.
    version: int = 0


def ended(steps: dict[str, StepRecord]) -> dict[str, Memo]:
    """The memoised steps of a run."""
    return {key: step.memo for key, step in steps.items() if step.status.is_final and key != FUNCTION_ENTRY}


def completion_order(steps: dict[str, StepRecord]) -> tuple[str, ...]:
    """The ids of the steps that ended, in the order in which the function was told of them, then in that in which they
    did by their clocks. One that had no other beside it stands in no order to others."""
    final = [step for key, step in steps.items() if step.outcome is not None and key != FUNCTION_ENTRY]
    return tuple(step.id for step in sorted(final, key=_told_at))


def without_place(steps: dict[str, StepRecord]) -> list[StepRecord]:
    """Steps side by side that have ended and have no place among the others yet, in the order in which they did."""
    ended_ones = [step for step in steps.values() if step.outcome is not None and step.plan.is_side_by_side]
    return sorted((step for step in ended_ones if step.place is None), key=_ended_at)


def next_place(steps: dict[str, StepRecord]) -> int:
    """The place of the step that the function is told of next."""
    return 1 + max((step.place for step in steps.values() if step.place is not None), default=-1)


def _told_at(step: StepRecord) -> tuple[int, int, int, int]:
    has_place = step.place is not None
    is_new = step.plan.is_side_by_side and not has_place
    return 2 if is_new else int(has_place), step.place or 0, *_ended_at(step)


def _ended_at(step: StepRecord) -> tuple[int, int]:
    assert step.outcome is not None
    return step.outcome.ended_at_ms, step.plan.nth


def in_order(steps: Iterable[StepRecord]) -> list[StepRecord]:
    """Steps in the order in which they began."""
    return sorted(steps, key=lambda step: (step.plan.started_at_ms, step.plan.nth))


class Counters(BaseModel):
    """How much of a run's limits is used."""

    model_config = ConfigDict(frozen=True)

    steps: int = Field(default=0)
    state_bytes: int = Field(default=0)


def progress_mark(steps: dict[str, StepRecord]) -> int:
    """A number that changes with everything that is recorded of a run's steps."""
    return sum(1 + len(step.plan.attempts) + step.status.is_final for step in steps.values())


def count(steps: dict[str, StepRecord]) -> Counters:
    """Steps and bytes of state of a run."""
    real = [step for key, step in steps.items() if key != FUNCTION_ENTRY]
    return Counters(
        steps=len(real), state_bytes=sum(step.outcome.size_bytes for step in real if step.outcome is not None)
    )
