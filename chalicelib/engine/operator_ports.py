"""What operating needs of the world, besides what running functions needs (ports).

All of them raise InfrastructureError when AWS does not answer as it should.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from chalicelib.core.bulk import BulkJob, BulkProgress, BulkState, Place, Standing
from chalicelib.core.cancellations import Cancellation, CancellationState, Progress
from chalicelib.core.pauses import Pause
from chalicelib.core.replays import Replay, ReplayProgress, ReplayState
from chalicelib.core.runs import RunStatus
from chalicelib.core.signing import KeySet
from chalicelib.core.steps import PauseKey, StepRecord
from chalicelib.engine.ports import QueueName

_Job_contra = TypeVar("_Job_contra", bound=BulkJob, contravariant=True)
_Progress_contra = TypeVar("_Progress_contra", bound=BulkProgress, contravariant=True)
_State_co = TypeVar("_State_co", bound=BulkState[Any, Any], covariant=True)

SourceQueue = Literal[QueueName.EVENTS, QueueName.WORK]
"""A queue whose messages may die."""


class Keys(Protocol):
    """The keys that callers must present."""

    def read(self) -> KeySet:
        """All of them, as they are now."""
        ...


@dataclass(frozen=True)
class Letter:
    """A dead letter in our hands: nobody else sees it until it is shown again, or its time is over.

    `payload_key`: where the body lies, if it was too large for a message.
    """

    id: str
    queue: SourceQueue
    body: str
    attributes: Mapping[str, str]
    sent_at_ms: int
    receipt: str
    payload_key: str | None = None


class DeadLetters(Protocol):
    """The dead-letter queues. `queue` is the one that a message came from."""

    def put(self, queue: SourceQueue, body: str, attributes: Mapping[str, str]) -> None:
        """Repeating it makes a second copy."""
        ...

    def receive(self, queue: SourceQueue, most: int, *, hidden_s: int, wait_s: int) -> list[Letter]:
        """At most 10, hidden from others for so long; waits for the first one."""
        ...

    def show_again(self, letters: Sequence[Letter]) -> None:
        """Hide them no longer."""
        ...

    def send_back(self, letters: Sequence[Letter]) -> list[Letter]:
        """Send the messages, as they were, to the queue they came from; those that were sent."""
        ...

    def delete(self, letters: Sequence[Letter]) -> None: ...


@dataclass(frozen=True)
class RunSample:
    """Some of the runs: `looked_at` of the table's `total` items, of which some are heads of runs.

    `oldest_queued_ms`: when the oldest of those that have not begun was created.
    """

    by_status: Mapping[RunStatus, int]
    oldest_queued_ms: int | None
    stalled: int
    looked_at: int
    total: int
    is_complete: bool


@dataclass(frozen=True)
class PauseSample:
    """Some rows of the pause index: of `looked_at` of the table's `total` items."""

    rows: Sequence[Pause]
    looked_at: int
    total: int
    is_complete: bool


class Looking(Protocol):
    """Reads that only people need: bounded in what they cost, and not consistent with each other."""

    def waiting_for(self, event_name: str, after: PauseKey | None) -> tuple[list[Pause], PauseKey | None]:
        """The rows for an event name among the next part of the index, and where to go on. At most 128 read units."""
        ...

    def pauses(self, rows: Sequence[PauseKey]) -> list[Pause]:
        """These rows, but for those that are gone."""
        ...

    def steps(self, ids: Sequence[tuple[str, str]]) -> dict[tuple[str, str], StepRecord]:
        """Steps by their runs' ids and their own; the missing are left out."""
        ...

    def sample_runs(self, pages: int) -> RunSample:
        """The first runs by the hash of their ids, as good as drawn by lot. 128 read units a page at most."""
        ...

    def sample_pauses(self, pages: int) -> PauseSample:
        """The first rows by the hash of their keys, as good as drawn by lot. 128 read units a page at most."""
        ...


class Ages(Protocol):
    """How long the oldest message of each queue has been there."""

    def oldest_s(self, now_ms: int) -> dict[QueueName, int]:
        """In seconds, of the queues for which that is known."""
        ...


class Bulk(Protocol[_Job_contra, _Progress_contra, _State_co]):
    """The jobs of one kind on many runs, and how far they have come."""

    def put(self, job: _Job_contra) -> _State_co:
        """Put if absent; what is stored afterwards."""
        ...

    def get(self, job_id: str) -> _State_co | None:
        """Consistent."""
        ...

    def page(self, *, before: str | None, limit: int) -> Sequence[_State_co]:
        """Newest first, from behind an id on. Consistent."""
        ...

    def advance(self, job_id: str, *, was: Place, now: _Progress_contra, nonce: str) -> bool:
        """A page was carried out by the delivery with this nonce; False when another one had written it down before,
        or it was stopped."""
        ...

    def standings(self, run_ids: Sequence[str]) -> list[Standing]:
        """How these runs stand; the missing are left out. Consistent."""
        ...

    def stop(self, job_id: str, now_ms: int) -> _State_co | None:
        """Stop it, unless it is over; as it stands afterwards."""
        ...


Cancellations = Bulk[Cancellation, Progress, CancellationState]
Replays = Bulk[Replay, ReplayProgress, ReplayState]
