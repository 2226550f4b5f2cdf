"""A run's head and the rules about it that need no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from chalicelib.core import limits
from chalicelib.core.calls import ErrorInfo
from chalicelib.core.clock import to_iso
from chalicelib.core.events import LIFECYCLE, Event
from chalicelib.core.joining import Gathered, JoinKind
from chalicelib.core.steps import FUNCTION_ENTRY, Cause, PauseKey, StepRecord


class RunStatus(StrEnum):
    """As the SDK protocol names them."""

    QUEUED = "Queued"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


class Owner(BaseModel):
    """Who holds a lease: a queue message, and a nonce of this one delivery of it."""

    model_config = ConfigDict(frozen=True)

    message_id: str
    nonce: str

    @property
    def queue_item_id(self) -> str:
        """How an app on an SDK names the delivery that calls it."""
        return f"{self.message_id}.{self.nonce}"

    @classmethod
    def named(cls, queue_item_id: str) -> Owner:
        """Who is named so. Whatever else the text says names nobody."""
        message_id, _, nonce = queue_item_id.rpartition(".")
        return cls(message_id=message_id, nonce=nonce)


class Invoker(BaseModel):
    """The step of another run that waits for this one. Its name serves if the answer comes before the step is recorded
    (messages of earlier versions do not have it)."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    step_id: str
    step_name: str = ""


class Ending(BaseModel):
    """How a run ends."""

    model_config = ConfigDict(frozen=True)

    status: RunStatus
    ended_at_ms: int
    output: Any = None
    error: ErrorInfo | None = None
    cause: Cause | None = None
    size_bytes: int = 0
    warnings: tuple[str, ...] = ()


class Hold(BaseModel):
    """What a run of a singleton holds until it ends: the place of its key's value, of which `digest` is made."""

    model_config = ConfigDict(frozen=True)

    mode: Literal["skip", "cancel"]
    digest: str


class RunSeed(BaseModel):
    """What is known when a run is created and never changes."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    fn_id: str
    event_id: str
    event_name: str
    trigger_received_at_us: int
    created_at_ms: int
    invoker: Invoker | None = None
    cron: str | None = None
    cancels: tuple[PauseKey, ...] = ()
    warnings: tuple[str, ...] = ()
    # A throttle lets it begin no sooner.
    not_before_ms: int | None = None
    hold: Hold | None = None
    # Its timeouts: from its creation to its beginning, from there to its end.
    start_within_ms: int | None = None
    finish_within_ms: int | None = None
    # Of a run that a debounce or a batch became.
    gathered: Gathered | None = None
    # Of a replay: the run that was replayed, whose event is this one's, too.
    original_run_id: str | None = None

    @property
    def start_by_ms(self) -> int | None:
        """When it is cancelled unless it has begun."""
        return None if self.start_within_ms is None else self.created_at_ms + self.start_within_ms

    @property
    def is_of_ends(self) -> bool:
        """Whether an event that tells the end of a run is among those that started it."""
        of_many = self.gathered is not None and self.gathered.tells_ends
        return of_many or self.event_name in LIFECYCLE

    @property
    def due_ms(self) -> int:
        """When it should begin, or be cancelled since it did not."""
        due_ms = max(self.created_at_ms, self.not_before_ms or 0)
        return due_ms if self.start_by_ms is None else min(due_ms, self.start_by_ms)

    @property
    def from_us(self) -> int:
        """Since when the run counts as there: it is cancelled by what was accepted later, and stands in line by it. The
        event of a replay may have come long before."""
        return self.trigger_received_at_us if self.original_run_id is None else self.created_at_ms * 1_000


class RunHead(BaseModel):
    """The head of a run as it is stored."""

    model_config = ConfigDict(frozen=True)

    seed: RunSeed
    version: int = 0
    begun_at_ms: int | None = None
    # A lease alone does not make it begun: it needs a place under a limit, too.
    gated: bool = False
    owner: Owner | None = None
    lease_until_ms: int = 0
    starts: int = 0
    progress_mark: int = 0
    # How many steps were recorded by the function's app while a turn had called it.
    checkpointed: int = 0
    news_at_ms: int = 0
    wake_at_ms: int | None = None
    # The message that ends it when it takes too long was sent.
    is_timed: bool = False
    stalled: str | None = None
    poked_at_ms: int = 0
    settled: bool = False
    ending: Ending | None = None
    expires_at_s: int = 0

    @property
    def run_id(self) -> str:
        return self.seed.run_id

    @property
    def status(self) -> RunStatus:
        if self.ending is not None:
            return self.ending.status
        return RunStatus.QUEUED if self.begun_at_ms is None else RunStatus.RUNNING

    @property
    def finish_by_ms(self) -> int | None:
        """When it is cancelled unless it has ended; None as long as it has not begun."""
        within_ms = self.seed.finish_within_ms
        return None if within_ms is None or self.begun_at_ms is None else self.begun_at_ms + within_ms

    def lease_is_live(self, now_ms: int) -> bool:
        return self.owner is not None and self.lease_until_ms >= now_ms

    def wire(self) -> dict[str, Any]:
        """What the API shows (SDK protocol), with a few fields of ours."""
        body: dict[str, Any] = {
            "run_id": self.run_id,
            "run_started_at": to_iso(self.seed.created_at_ms),
            "function_id": self.seed.fn_id,
            "function_version": 1,
            "event_id": self.seed.event_id,
            "status": self.status.value,
            "ended_at": None if self.ending is None else to_iso(self.ending.ended_at_ms),
        }
        if self.seed.not_before_ms is not None and self.status is RunStatus.QUEUED:
            body["not_before"] = to_iso(self.seed.not_before_ms)
        if self.seed.gathered is not None and self.seed.gathered.kind is JoinKind.BATCH:
            body["batch_id"] = self.run_id
        if self.seed.cron is not None:
            body["cron"] = self.seed.cron
        if self.seed.original_run_id is not None:
            body["original_run_id"] = self.seed.original_run_id
        if self.ending is not None:
            error = self.ending.error
            body["output"] = self.ending.output if error is None else error.model_dump(exclude_none=True)
        if self.stalled is not None and self.ending is None:
            body["stalled"] = self.stalled
        return body


@dataclass
class Run:
    """A run with everything in its partition, as one turn sees it; the turn keeps it up to date. `rest`: the other
    events of a batch."""

    head: RunHead
    event: Event
    steps: dict[str, StepRecord]
    rest: tuple[Event, ...] = ()

    @property
    def events(self) -> tuple[Event, ...]:
        """What started it, in the order of joining."""
        return (self.event, *self.rest)

    def wire(self) -> dict[str, Any]:
        """What the API shows of one run."""
        body = self.head.wire()
        if self.rest:
            body["event_ids"] = [event.internal_id for event in self.events]
        return body


class LeaseResult(StrEnum):
    TAKEN = "taken"
    MISSING = "missing"
    ENDED = "ended"
    OWN_MESSAGE = "own_message"
    OTHER = "other"
    # A throttle lets it begin later.
    EARLY = "early"
    # It should have begun before.
    LATE = "late"


class Reason(StrEnum):
    """Why `on_collect` pokes a run."""

    UNSETTLED = "its end was not settled"
    LEASE_RAN_OUT = "its lease ran out"
    NEVER_BEGAN = "it never began"
    TIMER_MISSED = "a timer was missed"
    STANDS_STILL = "it waits for nothing"
    STALLED = "its message went to the dead letters"
    IN_LINE = "it has stood in line for long"


SETTLE_GRACE_MS = 2 * limits.MINUTE_MS
LEASE_GRACE_MS = limits.MINUTE_MS
BEGIN_GRACE_MS = 15 * limits.MINUTE_MS
TIMER_GRACE_MS = 2 * limits.MINUTE_MS
POKE_AGAIN_MS = limits.HOUR_MS
PLANNED_SAFETY_MS = limits.HOUR_MS
# Of a run that stands in line: whoever frees a place wakes it; this is the safety net.
IN_LINE_SAFETY_MS = limits.HOUR_MS
# Of one whose function is paused: whoever resumes it wakes all, and the sweep those who are left.
PAUSED_SAFETY_MS = limits.DAY_MS


def overdue(head: RunHead, now_ms: int) -> Reason | None:
    """Whether an open run has been forgotten, and why. A run is poked once an hour at most."""
    if head.settled or now_ms - head.poked_at_ms < POKE_AGAIN_MS:
        return None
    if head.ending is not None:
        return Reason.UNSETTLED if head.ending.ended_at_ms + SETTLE_GRACE_MS < now_ms else None
    if head.stalled is not None and not head.lease_is_live(now_ms):
        # Whatever becomes of the letter: the next turn takes the mark away.
        return Reason.STALLED
    if head.owner is not None:
        return Reason.LEASE_RAN_OUT if head.lease_until_ms + LEASE_GRACE_MS < now_ms else None
    if head.wake_at_ms is None:
        if head.begun_at_ms is None:
            return Reason.NEVER_BEGAN if head.seed.due_ms + BEGIN_GRACE_MS < now_ms else None
        return Reason.STANDS_STILL if head.begun_at_ms + BEGIN_GRACE_MS < now_ms else None
    if head.wake_at_ms + TIMER_GRACE_MS >= now_ms:
        return None
    return Reason.IN_LINE if head.begun_at_ms is None else Reason.TIMER_MISSED


def wake_at_ms(steps: dict[str, StepRecord], now_ms: int) -> int | None:
    """When a run that is suspended now should next be looked at: its earliest timer, or an hour from now while
    planned steps are out (their own messages drive them; this is the safety net)."""
    times = []
    for key, step in steps.items():
        if step.status.is_final:
            continue
        if step.wake_at_ms is not None and step.wake_at_ms > now_ms:
            times.append(step.wake_at_ms)
        elif step.plan.planned:
            times.append(now_ms + PLANNED_SAFETY_MS)
        elif key != FUNCTION_ENTRY:
            times.append(now_ms)  # It has come due since the turn looked; its message is on the way.
    return min(times, default=None)
