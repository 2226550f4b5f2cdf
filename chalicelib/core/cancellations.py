"""Bulk cancellations: which runs they are about, and how far they have come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from chalicelib.core import limits
from chalicelib.core.clock import to_iso

# The list of runs is an index that follows its table within moments: what began so shortly before a cancellation was
# created may be missing there, and is looked for again once it must be there.
FRESH_MS: Final = 2 * limits.MINUTE_MS
LOOK_AGAIN_AFTER_MS: Final = limits.MINUTE_MS
CAUSE_NAME: Final = "bulk cancellation"


class Cancellation(BaseModel):
    """The runs of a function that were created in a time (the end excluded), and whose event fulfils a condition."""

    model_config = ConfigDict(frozen=True)

    id: str
    fn_id: str
    app_id: str | None = None
    created_at_ms: int
    started_after_ms: int = 0
    started_before_ms: int
    if_exp: str | None = None

    @property
    def fresh_from_ms(self) -> int:
        """Runs created then or later are looked for again, and are counted only then."""
        return self.created_at_ms - FRESH_MS

    @property
    def looks_again(self) -> bool:
        return self.started_before_ms > self.fresh_from_ms


class Place(BaseModel):
    """How far the runs have been looked through, newest first: in which look, down to which position in the list."""

    model_config = ConfigDict(frozen=True)

    look: int = 1
    position: str = ""


class Progress(BaseModel):
    """What has come of a cancellation. `place`: where it goes on, None when it has looked at all runs.

    `looked_at` and `cancelled` are runs; `errors` are events that the condition could not be tested against.
    """

    model_config = ConfigDict(frozen=True)

    place: Place | None = Place()
    looked_at: int = 0
    cancelled: int = 0
    errors: int = 0
    ended_at_ms: int | None = None


@dataclass(frozen=True)
class CancellationState:
    """A cancellation as it is stored."""

    cancellation: Cancellation
    progress: Progress
    stopped_at_ms: int | None = None

    @property
    def is_over(self) -> bool:
        return self.stopped_at_ms is not None or self.progress.place is None

    def wire(self) -> dict[str, Any]:
        """What the API shows."""
        about, progress = self.cancellation, self.progress
        ended_at_ms = progress.ended_at_ms if progress.ended_at_ms is not None else self.stopped_at_ms
        status = "Completed" if progress.place is None else "Running" if self.stopped_at_ms is None else "Stopped"
        return {
            "id": about.id,
            "app_id": about.app_id,
            "function_id": about.fn_id,
            "started_after": to_iso(about.started_after_ms) if about.started_after_ms else None,
            "started_before": to_iso(about.started_before_ms),
            "if": about.if_exp,
            "created_at": to_iso(about.created_at_ms),
            "status": status,
            "ended_at": None if ended_at_ms is None else to_iso(ended_at_ms),
            "looked_at": progress.looked_at,
            "cancelled": progress.cancelled,
            "errors": progress.errors,
        }


@dataclass(frozen=True)
class Standing:
    """How a run stands: open, or ended, and then by which cancellation, if by one."""

    run_id: str
    is_open: bool
    is_settled: bool = False
    cancelled_by: str | None = None
