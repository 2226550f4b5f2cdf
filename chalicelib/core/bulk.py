"""What is done to many runs of a function, page by page: to which, and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from chalicelib.core import limits
from chalicelib.core.clock import to_iso
from chalicelib.core.runs import RunStatus
from chalicelib.core.stored import Stored

# The list of runs is an index that follows its table within moments: what began so shortly before a job was created may
# be missing there, and is looked for again once it must be there.
FRESH_MS: Final = 2 * limits.MINUTE_MS
LOOK_AGAIN_AFTER_MS: Final = limits.MINUTE_MS


class Place(Stored):
    """How far the runs have been looked through, newest first: in which look, down to which position in the list."""

    look: int = 1
    position: str = ""


class BulkJob(Stored):
    """The runs of a function that were created in a time (the end excluded)."""

    id: str
    fn_id: str
    created_at_ms: int
    started_after_ms: int = 0
    started_before_ms: int

    @property
    def fresh_from_ms(self) -> int:
        """Runs created then or later are looked for again, and are counted only then."""
        return self.created_at_ms - FRESH_MS

    @property
    def looks_again(self) -> bool:
        return self.started_before_ms > self.fresh_from_ms


class BulkProgress(Stored):
    """What has come of a job. `place`: where it goes on, None when it has looked at all runs; `looked_at`: runs."""

    place: Place | None = Place()
    looked_at: int = 0
    errors: int = 0
    ended_at_ms: int | None = None


JobT = TypeVar("JobT", bound=BulkJob)
ProgressT = TypeVar("ProgressT", bound=BulkProgress)


@dataclass(frozen=True)
class BulkState(Generic[JobT, ProgressT]):
    """A job as it is stored."""

    job: JobT
    progress: ProgressT
    stopped_at_ms: int | None = None

    @property
    def is_over(self) -> bool:
        return self.stopped_at_ms is not None or self.progress.place is None

    @property
    def ending(self) -> dict[str, Any]:
        """What the API shows of every job: how it stands, and since when it is over."""
        ended_at_ms = self.progress.ended_at_ms if self.progress.ended_at_ms is not None else self.stopped_at_ms
        running = "Running" if self.stopped_at_ms is None else "Stopped"
        return {
            "status": "Completed" if self.progress.place is None else running,
            "ended_at": None if ended_at_ms is None else to_iso(ended_at_ms),
        }


@dataclass(frozen=True)
class Standing:
    """How a run stands: open, or ended, and then by which cancellation, if by one."""

    run_id: str
    is_open: bool
    is_settled: bool = False
    cancelled_by: str | None = None
    status: RunStatus | None = None
