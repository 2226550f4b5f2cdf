"""Bulk cancellations: which runs they are about, and how far they have come."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.core.bulk import BulkJob, BulkProgress, BulkState
from chalicelib.core.clock import to_iso

CAUSE_NAME: Final = "bulk cancellation"


class Cancellation(BulkJob):
    """Its runs are those whose event fulfils a condition, if there is one."""

    app_id: str | None = None
    if_exp: str | None = None


class Progress(BulkProgress):
    """`cancelled` are runs; `errors` are events that the condition could not be tested against."""

    cancelled: int = 0


class CancellationState(BulkState[Cancellation, Progress]):
    """A cancellation as it is stored."""

    def wire(self) -> dict[str, Any]:
        """What the API shows."""
        about = self.job
        return {
            "id": about.id,
            "app_id": about.app_id,
            "function_id": about.fn_id,
            "started_after": to_iso(about.started_after_ms) if about.started_after_ms else None,
            "started_before": to_iso(about.started_before_ms),
            "if": about.if_exp,
            "created_at": to_iso(about.created_at_ms),
            **self.ending,
            "looked_at": self.progress.looked_at,
            "cancelled": self.progress.cancelled,
            "errors": self.progress.errors,
        }
