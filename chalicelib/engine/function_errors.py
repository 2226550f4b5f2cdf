"""Failures of a function's own code, outside of steps: counted in a record of their own, which starts anew whenever
a step has ended since."""

from __future__ import annotations

from chalicelib.core.calls import Raised
from chalicelib.core.messages import TurnMessage
from chalicelib.core.retries import retry_at_ms
from chalicelib.core.runs import Run
from chalicelib.core.steps import (
    FUNCTION_ENTRY,
    Attempt,
    StepKind,
    StepPlan,
    StepRecord,
    StepStatus,
    ended,
)
from chalicelib.engine import metrics
from chalicelib.engine.expiry import stamped
from chalicelib.engine.services import Services, logger
from chalicelib.engine.timing import schedule


def current_attempt(steps: dict[str, StepRecord]) -> int:
    """The number of the attempt (from 0) that a turn makes now: of its retried step, or of the function's code."""
    for key, step in steps.items():
        if step.status is not StepStatus.RETRYING or step.plan.planned:
            continue
        if key != FUNCTION_ENTRY or step.plan.after_steps == len(ended(steps)):
            return step.failures
    return 0


def record(s: Services, run: Run, raised: Raised, started_at_ms: int, max_attempts: int) -> bool:
    """Record the failure and schedule the next attempt; False when there is none and the run must fail."""
    now = s.clock.now_ms()
    finished = len(ended(run.steps))
    before = run.steps.get(FUNCTION_ENTRY)
    attempts = () if before is None else before.plan.attempts
    same_place = before is not None and before.plan.after_steps == finished
    earlier = before.plan.earlier_attempts if before is not None and same_place else len(attempts)
    attempts = (*attempts, Attempt(started_at_ms=started_at_ms, ended_at_ms=now, error=raised.error))
    due = retry_at_ms(
        now_ms=now,
        failed_attempts=len(attempts) - earlier,
        max_attempts=max_attempts,
        retriable=raised.retriable,
        retry_after_ms=raised.retry_after_ms,
        jitter=s.chance.jitter(),
        table_ms=s.settings.retry_table_ms,
    )
    if due is None:
        return False
    logger.info(
        "function failed, will be retried",
        extra={
            "run_id": run.head.run_id,
            "function_id": run.head.seed.fn_id,
            "error": raised.error.message,
            "in_ms": due - now,
        },
    )
    timer = schedule(s, TurnMessage(run_id=run.head.run_id, due_ms=due, step_id=FUNCTION_ENTRY))
    plan = StepPlan(
        name=run.head.seed.fn_id,
        kind=StepKind.FUNCTION,
        started_at_ms=before.plan.started_at_ms if before is not None else started_at_ms,
        attempts=attempts,
        after_steps=finished,
        earlier_attempts=earlier,
        timer=timer,
    )
    step = StepRecord(id=FUNCTION_ENTRY, status=StepStatus.RETRYING, plan=plan, wake_at_ms=due)
    metrics.attempt_failed(s, is_ours=s.runs.put_retry(run.head.run_id, stamped(s, run, step)))
    run.steps[FUNCTION_ENTRY] = step
    return True
