"""What is queued for a run, as the SDK protocol's API shows it: read from the run, since no queue can be searched."""

from __future__ import annotations

from typing import Any

from chalicelib.core.clock import to_iso
from chalicelib.core.runs import Run, RunHead
from chalicelib.core.steps import FUNCTION_ENTRY, StepKind, StepRecord, StepStatus

# The protocol's names: the run's first turn, a later one or a step, the end of a sleep, a timeout of what waits.
START, EDGE, SLEEP, PAUSE = "start", "edge", "sleep", "pause"


def jobs(run: Run) -> list[dict[str, Any]]:
    """The jobs in the order of their times: `at`, `position`, `kind`, `attempt` (from 0), and the step's name and id.
    Those of a run that has ended do nothing any more: it has none."""
    if run.head.ending is not None:
        return []
    found = [*_turn(run.head), *(job for step in run.steps.values() for job in _of_step(step))]
    found.sort(key=lambda job: int(job[0]))
    return [{"at": to_iso(at), "position": position, **job} for position, (at, job) in enumerate(found)]


_Job = tuple[int, dict[str, Any]]


def _turn(head: RunHead) -> list[_Job]:
    if head.begun_at_ms is None:
        return [(head.seed.due_ms, {"kind": START, "attempt": 0})]
    return [] if head.owner is None else [(head.begun_at_ms, {"kind": EDGE, "attempt": max(0, head.starts - 1)})]


def _of_step(step: StepRecord) -> list[_Job]:
    named = {} if step.id == FUNCTION_ENTRY else {"step": step.plan.name, "step_id": step.id}
    match step.status:
        case StepStatus.PLANNED:
            kind, at = EDGE, step.plan.started_at_ms
        case StepStatus.RETRYING:
            kind, at = EDGE, step.wake_at_ms or step.plan.started_at_ms
        case StepStatus.WAITING if step.wake_at_ms is not None:
            kind, at = SLEEP if step.plan.kind is StepKind.SLEEP else PAUSE, step.wake_at_ms
        case _:
            return []
    return [(at, {"kind": kind, "attempt": step.failures, **named})]
