"""How long records are kept: far ahead, and longer for a run that waits longer, since it must not lose its steps."""

from __future__ import annotations

from chalicelib.core import limits
from chalicelib.core.runs import Run
from chalicelib.core.steps import StepRecord
from chalicelib.engine.services import Services


def stamp_s(s: Services, now_ms: int) -> int:
    """Until when a record written now is kept, in seconds since the epoch."""
    return (now_ms + limits.EXPIRY_AHEAD_MS + s.settings.retention_ms) // 1000


def keep_until(s: Services, run: Run, due_ms: int) -> None:
    """Before a run waits until `due_ms`: renew the stamps of all its records if they would not reach that far."""
    needed_s = (due_ms + s.settings.retention_ms) // 1000
    if run.head.expires_at_s < needed_s:
        s.runs.extend_expiry(run.head.run_id, stamp_s(s, due_ms))
        run.head = run.head.model_copy(update={"expires_at_s": stamp_s(s, due_ms)})


def keep_all(s: Services, run: Run, wake_at_ms: int | None) -> None:
    """Before a run suspends: every record reaches as far as the head does, and past the next wake-up. A planned step
    may have been put with an earlier stamp while the turn registered a longer wait."""
    if wake_at_ms is not None:
        keep_until(s, run, wake_at_ms)
    if any(step.expires_at_s < run.head.expires_at_s for step in run.steps.values()):
        s.runs.extend_expiry(run.head.run_id, run.head.expires_at_s)


def stamped(s: Services, run: Run, step: StepRecord) -> StepRecord:
    """The step with its stamp: as far ahead as the other records of its run, and as its own timer needs."""
    stamp = max(stamp_s(s, max(s.clock.now_ms(), step.wake_at_ms or 0)), run.head.expires_at_s)
    return step.model_copy(update={"expires_at_s": stamp})
