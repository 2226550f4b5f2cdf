"""Sleeps, waits and invocations whose time has come end inside a turn, by the clock."""

from __future__ import annotations

from chalicelib.core import limits
from chalicelib.core.calls import ErrorInfo
from chalicelib.core.messages import PlannedStepMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.runs import PLANNED_SAFETY_MS, Run
from chalicelib.core.steps import Cause, CauseKind, StepKind, StepOutcome, StepRecord, StepStatus
from chalicelib.engine import cleanup, metrics
from chalicelib.engine.services import Services, logger


def wake_due(s: Services, run: Run, now_ms: int) -> None:
    """End what is due; `run.steps` is brought up to date. Whoever ended a step first has its result kept."""
    for key, step in list(run.steps.items()):
        if step.is_looking_back:
            continue  # Its event may have come in time.
        if step.status is StepStatus.WAITING and is_due(step, now_ms):
            outcome = _outcome(step, now_ms)
            stored = s.runs.complete(run.head.run_id, key, outcome)
            if stored.outcome is outcome:
                _count(s, stored)
            cleanup.remove_traces(s, run.head.run_id, [stored])
            run.steps[key] = stored
            logger.info(
                "woke up" if step.plan.kind is StepKind.SLEEP else "timed out",
                extra={"run_id": run.head.run_id, "function_id": run.head.seed.fn_id, "step": step.plan.name},
            )
        elif _forgotten(step, now_ms):
            # Its message was lost with its queue, or lies among the dead letters: a second one does no harm.
            message = PlannedStepMessage(run_id=run.head.run_id, step_id=key, attempt=step.failures)
            s.queues.send_work(message)


def is_due(step: StepRecord, now_ms: int) -> bool:
    """Whether the step's time has come."""
    return step.wake_at_ms is not None and step.wake_at_ms <= now_ms


def _count(s: Services, ended: StepRecord) -> None:
    if ended.plan.is_wait:
        s.metrics.count(Metric.WAITS_EXPIRED)
    else:
        metrics.step_ended(s, ended, is_ours=True)


def _forgotten(step: StepRecord, now_ms: int) -> bool:
    if not step.plan.planned or step.status not in (StepStatus.PLANNED, StepStatus.RETRYING):
        return False
    if step.lease_until_ms is not None and step.lease_until_ms >= now_ms:
        return False
    if step.status is StepStatus.RETRYING and step.wake_at_ms is not None:
        return step.wake_at_ms + limits.MINUTE_MS < now_ms
    return step.plan.started_at_ms + PLANNED_SAFETY_MS - limits.MINUTE_MS < now_ms


def _outcome(step: StepRecord, now_ms: int) -> StepOutcome:
    error = None
    if step.plan.kind is StepKind.INVOKE:
        error = ErrorInfo.of(
            "InvokeTimeout", f"the invoked function {step.plan.invokes} did not end in time; it goes on by itself"
        )
    return StepOutcome(ended_at_ms=now_ms, error=error, cause=Cause(kind=CauseKind.TIMER))
