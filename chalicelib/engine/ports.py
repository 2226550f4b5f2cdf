"""What the engine needs of the world. The AWS room implements these; each write says what makes it safe to repeat.

All of them raise InfrastructureError when AWS does not answer as it should.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from chalicelib.core.calls import CallRequest, GatewayOptions, Reply
from chalicelib.core.events import Event
from chalicelib.core.gateway import GatewayAnswer, GatewayFault
from chalicelib.core.messages import AnyEventMessage, AnyWorkMessage, TurnMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.records import Effect, EffectKind, EventPage, EventRecord, EventTimes
from chalicelib.core.runs import Owner
from chalicelib.core.signals import SignalWait
from chalicelib.core.steps import StepRecord, TimerKey
from chalicelib.engine.index import Place


class Events(Protocol):
    """The events table: events, what they cause, and the 24-hour window of users' ids."""

    def put(self, record: EventRecord) -> EventRecord:
        """Put if absent; the record that is stored afterwards: the very one handed in, or the first one."""
        ...

    def get(self, internal_id: str) -> EventRecord | None:
        """Consistent."""
        ...

    def get_many(self, internal_ids: Sequence[str]) -> list[EventRecord]:
        """In the order given; the missing are left out. Consistent item by item."""
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

    def release_id(self, fn_id: str, user_id: str, run_id: str) -> None:
        """Take back such a claim, if this run holds it: it is not to be."""
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


class Signals(Protocol):
    """Who waits for which signal: one row for each, in the pauses table."""

    def holder(self, signal: str) -> SignalWait | None:
        """Who waits for it, or has waited: whether a wait is open, its step says. Consistent."""
        ...

    def register(
        self, owner: Owner, step: StepRecord, wait: SignalWait, now_ms: int, *, after: SignalWait | None
    ) -> StepRecord | SignalWait:
        """Record a step as waiting, as Runs.register does, and put its row, if absent or that of `after`: the step
        that is recorded afterwards, or else whose row is there. Raises LeaseLost."""
        ...

    def put_sent(self, sender: str, wait: SignalWait) -> SignalWait:
        """Keep whom a step sends its signal to, if absent; whom it was first."""
        ...

    def sent(self, sender: str) -> SignalWait | None:
        """Whom the step has sent its signal to before. Consistent."""
        ...

    def remove(self, signal: str, run_id: str, step_id: str) -> None:
        """Remove the row if it is that of this step."""
        ...


@dataclass(frozen=True)
class Timer:
    """A far timer that has come near."""

    key: TimerKey
    message: AnyWorkMessage


class Timers(Protocol):
    """The timers table, and the small marks that the scheduled functions keep."""

    def put(self, due_ms: int, message: AnyWorkMessage) -> TimerKey:
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

    def send_work(self, message: AnyWorkMessage, *, delay_s: int = 0) -> None: ...

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


class Gateway(Protocol):
    """Makes requests to servers that users name. May be used from any thread."""

    def request(self, options: GatewayOptions, deadline_ms: int) -> GatewayAnswer | GatewayFault:
        """Make the request once; no longer than until `deadline_ms`. What is answered is bounded in size."""
        ...
