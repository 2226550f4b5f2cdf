"""What was counted against what lies in the tables: nothing twice, and nothing missing where nothing is disturbed."""

from __future__ import annotations

from collections import Counter

from chalicelib.core.metrics import Metric
from chalicelib.core.runs import Run, RunStatus
from chalicelib.core.steps import FUNCTION_ENTRY, CauseKind, StepRecord, StepStatus
from tests.faults import observe
from tests.faults.world import World

_ENDS = {
    RunStatus.COMPLETED: Metric.RUNS_COMPLETED,
    RunStatus.FAILED: Metric.RUNS_FAILED,
    RunStatus.CANCELLED: Metric.RUNS_CANCELLED,
}
_WAITS = {
    CauseKind.EVENT: Metric.WAITS_MATCHED,
    CauseKind.SIGNAL: Metric.WAITS_MATCHED,
    CauseKind.TIMER: Metric.WAITS_EXPIRED,
    # Another run has taken the place of a wait for a signal.
    CauseKind.RUN: Metric.STEPS_FAILED,
}
DECIDED_BY_WRITES = frozenset(
    {
        Metric.EVENTS_IN,
        Metric.RUNS_STARTED,
        Metric.STEPS,
        Metric.STEPS_FAILED,
        Metric.WAITS_OPENED,
        Metric.WAITS_CANCELLED,
        *_ENDS.values(),
        *_WAITS.values(),
    }
)


def problems(world: World, *, disturbed: bool) -> list[str]:
    """What was counted oftener than it happened; undisturbed, also what was not counted."""
    told, happened = world.counts, _happened(world)
    return [
        f"{metric.value} was counted {told[metric]} times and happened {happened[metric]} times"
        for metric in DECIDED_BY_WRITES
        if told[metric] > happened[metric] or (not disturbed and told[metric] != happened[metric])
    ]


def _happened(world: World) -> Counter[Metric]:
    found: Counter[Metric] = Counter()
    for row in world.emulator.rows("events"):
        if "record" in row or "record_at" in row:
            record = world.platform.services.events.get(row["sk"])
            assert record is not None
            found[Metric.EVENTS_IN] += record.event.source in ("api", "step")
    for run in observe.load_runs(world).values():
        found[Metric.RUNS_STARTED] += 1
        if run.head.settled:
            found[_ENDS[run.head.status]] += 1
        for key, step in run.steps.items():
            if key != FUNCTION_ENTRY and not step.plan.copied:
                found.update(_of_step(run, step))
    return found


def _of_step(run: Run, step: StepRecord) -> list[Metric]:
    cause = None if step.outcome is None else step.outcome.cause
    was_refused = step.status is StepStatus.FAILED and cause is None
    if not step.plan.is_wait or was_refused:
        ended = {StepStatus.COMPLETED: Metric.STEPS, StepStatus.FAILED: Metric.STEPS_FAILED}
        return [ended[step.status]] if step.status in ended else []
    if cause is not None:
        return [Metric.WAITS_OPENED, _WAITS[cause.kind]]
    return [Metric.WAITS_OPENED, *([Metric.WAITS_CANCELLED] if run.head.settled else [])]
