"""Replaying a run: which of its results the new run begins with; and replaying many, from their starts."""

from __future__ import annotations

from typing import Any

from chalicelib.core.bulk import BulkJob, BulkProgress, BulkState
from chalicelib.core.clock import to_iso
from chalicelib.core.errors import UserError
from chalicelib.core.ids import hashed_step_id
from chalicelib.core.runs import RunStatus
from chalicelib.core.steps import FUNCTION_ENTRY, StepRecord, completion_order, in_order

_MOST_NAMED = 20


class InvalidReplay(UserError):
    """A replay that cannot be made; the message names the field."""


def results_before(steps: dict[str, StepRecord], from_step: str) -> tuple[StepRecord, ...]:
    """Copies of the steps that had ended before this one, in the order in which they did; of all that have ended, if it
    has not itself. `from_step` is the step's id, or its name (`name:1` for the second one of that name). Raises
    InvalidReplay."""
    step_id = _find(steps, from_step)
    order = completion_order(steps)
    before = order[: order.index(step_id)] if step_id in order else order
    return tuple(_copy(steps[one]) for one in before)


def _find(steps: dict[str, StepRecord], wanted: str) -> str:
    real = [step for step in in_order(steps.values()) if step.id != FUNCTION_ENTRY]
    ids = {step.id for step in real}
    for step_id in (wanted, hashed_step_id(wanted, 0)):
        if step_id in ids:
            return step_id
    # An app may show another name than that of which it made the id.
    for step in real:
        if step.plan.name == wanted:
            return step.id
    names = ", ".join(dict.fromkeys(step.plan.name for step in real[:_MOST_NAMED])) or "none"
    raise InvalidReplay(f"from_step: the run has no step {wanted!r}; its first are {names}")


def _copy(step: StepRecord) -> StepRecord:
    # The rows that it left belong to the original.
    plan = step.plan.model_copy(update={"pauses": (), "timer": None, "copied": True})
    return StepRecord(id=step.id, status=step.status, plan=plan, outcome=step.outcome, place=step.place)


class Replay(BulkJob):
    """Its runs are those that ended so."""

    status: RunStatus


class ReplayProgress(BulkProgress):
    """`replayed` are runs that have been replayed; `errors` are runs that could not be, since they were gone."""

    replayed: int = 0


class ReplayState(BulkState[Replay, ReplayProgress]):
    """A replay of many as it is stored."""

    def wire(self) -> dict[str, Any]:
        """What the API shows."""
        about = self.job
        return {
            "id": about.id,
            "function_id": about.fn_id,
            "replays": about.status.value,
            "after": to_iso(about.started_after_ms) if about.started_after_ms else None,
            "before": to_iso(about.started_before_ms),
            "created_at": to_iso(about.created_at_ms),
            **self.ending,
            "looked_at": self.progress.looked_at,
            "replayed": self.progress.replayed,
            "errors": self.progress.errors,
        }
