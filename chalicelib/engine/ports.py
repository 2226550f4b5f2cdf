"""What the engine needs of the world. The AWS room implements these; each write says what makes it safe to repeat.

All of them raise InfrastructureError when AWS does not answer as it should.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from chalicelib.core.calls import CallRequest, Reply
from chalicelib.core.events import Event
from chalicelib.core.functions import FunctionConfig
from chalicelib.core.messages import AnyEventMessage, PlannedStepMessage, TurnMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.pauses import Pause
from chalicelib.core.records import Effect, EffectKind, EventPage, EventRecord, EventTimes, Resumed
from chalicelib.core.runs import Ending, LeaseResult, Owner, Run, RunHead, RunSeed
from chalicelib.core.steps import StepLease, StepOutcome, StepPlan, StepRecord, TimerKey
from chalicelib.engine.index import Place


class Events(Protocol):
    """The events table: events, what they cause, and the 24-hour window of users' ids."""

    def put(self, record: EventRecord) -> EventRecord:
        """Put if absent; the record that is stored afterwards: the very one handed in, or the first one."""
        ...

    def get(self, internal_id: str) -> EventRecord | None:
        """Consistent."""
        ...

    def effects(
        self, internal_id: str, kind: EffectKind, *, limit: int, after: str = ""
    ) -> tuple[list[Effect], str | None]:
        """What the event resumed or cancelled, in the order of runs, and where to go on. Consistent."""
        ...

    def page_end(self, internal_id: str, start: Place) -> str | None:
        """Where the page that begins there ended, if what follows was sent on its way. Consistent."""
        ...

    def put_page_end(self, internal_id: str, start: Place, end: str) -> None:
        """What follows the page was sent on its way; put if absent."""
        ...

    def put_times(self, internal_id: str, times: EventTimes) -> None:
        """When the stages of an event that starts nothing were done; put if absent."""
        ...

    def times(self, internal_id: str) -> EventTimes | None:
        """What `put_times` stored."""
        ...

    def claim_id(self, fn_id: str, user_id: str, run_id: str, now_ms: int) -> str:
        """Claim the user's event id for a run of this function for 24 hours; the run that holds it."""
        ...

    def note_name(self, name: str, now_ms: int) -> None:
        """Remember that events of this name exist (once a day and process)."""
        ...

    def names(self) -> list[str]:
        """The names of events seen lately."""
        ...

    def page(self, name: str, *, after: str, before: str, limit: int, newest_first: bool = True) -> EventPage:
        """Events of a name between two positions (core.ids.position), by time of acceptance. Consistent."""
        ...

    def between(self, name: str, *, after: str, before: str, newest_first: bool) -> Iterator[EventRecord]:
        """The same one by one, read as they are asked for. Each stands at its core.ids.event_position."""
        ...


class Runs(Protocol):
    """The runs table: head, trigger event and steps of a run in one partition."""

    def create(self, seed: RunSeed, event: Event, pauses: Sequence[Pause], times: EventTimes | None = None) -> RunHead:
        """Put head and cancellation pauses, if absent, in one transaction; the head that is stored afterwards, with
        the very seed handed in if it was put. `times` are kept with the run's copy of its event."""
        ...

    def event_times(self, run_id: str) -> EventTimes | None:
        """When the stages of the run's trigger event were done, if that was kept."""
        ...

    def load(self, run_id: str) -> Run | None:
        """The whole run. Consistent item by item, but not a snapshot."""
        ...

    def head(self, run_id: str) -> RunHead | None:
        """The head alone. Consistent."""
        ...

    def heads(self, run_ids: Sequence[str]) -> list[RunHead]:
        """Many heads, in the order given; the missing are left out."""
        ...

    def trigger_event(self, run_id: str) -> Event | None:
        """The run's copy of the event that started it."""
        ...

    def take_lease(
        self, run_id: str, owner: Owner, *, until_ms: int, now_ms: int
    ) -> tuple[LeaseResult, RunHead | None]:
        """Take the run's lease, if it is free or has run out, and mark the run as begun."""
        ...

    def renew_lease(self, run_id: str, owner: Owner, *, until_ms: int, now_ms: int) -> bool:
        """Hold the lease for longer; False when it is not ours, has run out, or the run has ended."""
        ...

    def mark_progress(self, run_id: str, owner: Owner, mark: int) -> None:
        """Something was recorded since the last start that died: count starts anew."""
        ...

    def poke(self, run_id: str, now_ms: int) -> bool:
        """Tell the holder of a live lease that there is news; False when no lease is live."""
        ...

    def release(self, run_id: str, owner: Owner, *, version: int | None, wake_at_ms: int | None) -> RunHead | None:
        """Give the lease back if it is ours and, unless `version` is None, the version is that. None when it was
        given back; else the head as it stands. Raises LeaseLost."""
        ...

    def put_step(self, run_id: str, step: StepRecord) -> StepRecord:
        """Record a step's end, if it has not ended and does not wait; what is recorded afterwards: the very record
        handed in, or the first one. One write unit."""
        ...

    def put_retry(self, run_id: str, step: StepRecord) -> bool:
        """Record a failed attempt (and drop the step's lease), if fewer are recorded and the step has not ended;
        whether it was recorded."""
        ...

    def get_step(self, run_id: str, step_id: str) -> StepRecord | None:
        """One step. Consistent."""
        ...

    def ended_plans(self, steps: Sequence[tuple[str, str]]) -> dict[tuple[str, str], StepPlan]:
        """Of these steps (run id and step id) those that have ended, with their plans. One that is not to be seen may
        be about to come: a batch of reads is no snapshot. Consistent item by item."""
        ...

    def register(self, run_id: str, owner: Owner, step: StepRecord, pauses: Sequence[Pause], now_ms: int) -> StepRecord:
        """Record a step as waiting or planned, with its pauses, if absent, while the lease is ours and the run has
        not ended; what is recorded afterwards: the very record handed in, or the first one. Raises LeaseLost."""
        ...

    def complete(self, run_id: str, step_id: str, outcome: StepOutcome, plan: StepPlan | None = None) -> StepRecord:
        """End a waiting step from outside; what is recorded afterwards, with the very outcome handed in if this call
        ended it. With `plan`, an absent step is ended, too."""
        ...

    def look_on(self, run_id: str, step_id: str, *, was: str, now: str | None) -> StepRecord:
        """A waiting step has looked back from one position to another, or with None to the end; what is recorded
        afterwards."""
        ...

    def lease_step(
        self, run_id: str, step_id: str, owner: Owner, plan: StepPlan, *, until_ms: int, now_ms: int
    ) -> StepLease:
        """Take a planned step's lease; the step is created as planned if it is absent."""
        ...

    def drop_step_lease(self, run_id: str, step_id: str, owner: Owner) -> None:
        """Give a planned step's lease back, if it is ours."""
        ...

    def resume(self, effect: Effect, outcome: StepOutcome) -> Resumed:
        """End a waiting step by an event, with its marker, in one transaction."""
        ...

    def end(self, run_id: str, ending: Ending, *, owner: Owner | None) -> RunHead | None:
        """End the run if it has not ended (and, with `owner`, the lease is ours); the head as it stands, with the very
        ending handed in if this call ended it. None when there is no such run. Raises LeaseLost."""
        ...

    def cancel_by(self, effect: Effect, ending: Ending) -> RunHead | None:
        """End the run by an event, with its marker, in one transaction; the head as it stands."""
        ...

    def mark_settled(self, run_id: str, expires_at_s: int) -> bool:
        """What follows from the end is done; the run is open no more. False when that was known."""
        ...

    def mark_stalled(self, run_id: str, reason: str) -> None:
        """Its message went to the dead letters."""
        ...

    def mark_poked(self, run_id: str, now_ms: int) -> None:
        """It was found forgotten and sent a turn."""
        ...

    def extend_expiry(self, run_id: str, expires_at_s: int) -> None:
        """Keep every item of the run at least until then."""
        ...

    def open_page(self, shard: int, after: str | None, limit: int) -> tuple[list[str], str | None]:
        """Runs that are not settled, of one shard, and where to go on."""
        ...

    def page(self, fn_id: str, *, before: str, limit: int) -> list[str]:
        """Positions (`time#run id`) of a function's runs before a position, newest first."""
        ...


@dataclass(frozen=True)
class Timer:
    """A far timer that has come near."""

    key: TimerKey
    message: TurnMessage | PlannedStepMessage


class Timers(Protocol):
    """The timers table, and the small marks that the scheduled functions keep."""

    def put(self, due_ms: int, message: TurnMessage | PlannedStepMessage) -> TimerKey:
        """Repeating it changes nothing."""
        ...

    def in_bucket(self, bucket: int, shard: int, due_before_ms: int, limit: int) -> list[Timer]:
        """Timers of a bucket that are due before then. Consistent."""
        ...

    def remove(self, keys: Sequence[TimerKey]) -> None: ...

    def get_mark(self, name: str) -> str | None: ...

    def set_mark(self, name: str, value: str) -> None: ...


class QueueName(StrEnum):
    EVENTS = "events"
    WORK = "work"
    DEAD_EVENTS = "dead-events"
    DEAD_WORK = "dead-work"


@dataclass(frozen=True)
class QueueDepth:
    """How many messages lie in a queue, approximately: to be read, being handled, not yet due."""

    visible: int
    in_flight: int
    delayed: int


class Queues(Protocol):
    """The two queues, and those of their dead letters."""

    def send_events(self, messages: Sequence[AnyEventMessage], *, delay_s: int = 0) -> None: ...

    def send_work(self, message: TurnMessage | PlannedStepMessage, *, delay_s: int = 0) -> None: ...

    def send_turns(self, messages: Sequence[TurnMessage]) -> None:
        """Many at once, to be delivered now."""
        ...

    def depth(self, queue: QueueName) -> QueueDepth: ...


class Metrics(Protocol):
    """Counts what happens. Never raises; may be used from any thread."""

    def count(self, metric: Metric, n: int = 1) -> None: ...

    def observe(self, metric: Metric, value: float) -> None: ...


class Exit(Protocol):
    """Where the events are told that Stepwell sends at the end of a run."""

    def tell(self, event: Event) -> None:
        """May tell an event more than once; its id stays the same."""
        ...


class Driver(Protocol):
    """Calls functions."""

    def call(self, request: CallRequest) -> Reply:
        """Enter the function once."""
        ...


class Catalog(Protocol):
    """The functions there are."""

    def get(self, fn_id: str) -> FunctionConfig | None: ...

    def configs(self) -> Sequence[FunctionConfig]: ...
