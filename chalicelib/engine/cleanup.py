"""What a step leaves in the index and among the timers is removed when it ends."""

from __future__ import annotations

from chalicelib.core.steps import StepRecord
from chalicelib.engine.services import Services


def remove_timer(s: Services, step: StepRecord | None) -> None:
    """Remove the far timer of a step that has ended, if it had one."""
    if step is not None and step.plan.timer is not None:
        s.timers.remove([step.plan.timer])


def remove_traces(s: Services, run_id: str, steps: list[StepRecord]) -> None:
    """Remove the pauses, signals and timers of these steps of a run."""
    rows = [row for step in steps for row in step.plan.pauses]
    timers = [step.plan.timer for step in steps if step.plan.timer is not None]
    if rows:
        s.pauses.remove(rows)
    if timers:
        s.timers.remove(timers)
    for step in steps:
        if step.plan.signal is not None:
            s.signals.remove(step.plan.signal, run_id, step.id)
