"""What follows from the end of a run. All of it is repeatable and derived from the run, so any message that finds a
run ended but not settled does it (DESIGN, "Cancel and end")."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.core import timeouts
from chalicelib.core.calls import ErrorInfo
from chalicelib.core.events import INVOKED
from chalicelib.core.messages import LifecycleMessage, TurnMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.runs import Ending, Invoker, Run, RunStatus
from chalicelib.core.steps import (
    Cause,
    CauseKind,
    PauseKey,
    StepKind,
    StepOutcome,
    StepPlan,
    StepRecord,
    StepStatus,
    TimerKey,
)
from chalicelib.engine import cleanup, concurrency, holders, lifecycle, metrics
from chalicelib.engine.services import Services, logger

_ENDED = {
    RunStatus.COMPLETED: Metric.RUNS_COMPLETED,
    RunStatus.FAILED: Metric.RUNS_FAILED,
    RunStatus.CANCELLED: Metric.RUNS_CANCELLED,
}


def settle(s: Services, run_id: str, found_at: PauseKey | None = None) -> None:
    """Read the run; if it has ended and is not settled, settle it."""
    run = s.runs.load(run_id)
    if run is not None and run.head.ending is not None and not run.head.settled:
        settle_run(s, run, found_at)


def settle_run(s: Services, run: Run, found_at: PauseKey | None = None) -> None:
    """Tell the end to whom it concerns, leave nothing behind, and close the run. Whoever found it by a row of the index
    removes that one afterwards."""
    head, ending = run.head, run.head.ending
    assert ending is not None
    tell = lifecycle.names_for(head)
    if tell:
        s.queues.send_events([LifecycleMessage(run_id=head.run_id, name=name) for name in tell])
    for invoker in _invokers(s, run):
        _answer_invoker(s, run, ending, invoker)
    if ending.status is RunStatus.CANCELLED:
        concurrency.leave_lines(s, run)
    cleanup.remove_traces(s, head.run_id, [step for step in run.steps.values() if _may_leave_traces(step)])
    timers = timeouts.timers_left(head)
    if head.begun_at_ms is None and head.seed.not_before_ms is not None:
        # Its first turn may lie far ahead.
        timers.append(TimerKey(due_ms=head.seed.not_before_ms, name=head.run_id))
    if timers:
        s.timers.remove(timers)
    holders.let_go(s, head.seed)
    rows = [row for row in head.seed.cancels if row != found_at]
    if rows:
        s.pauses.remove(rows)
    if not s.runs.mark_settled(head.run_id, (ending.ended_at_ms + s.settings.retention_ms) // 1000):
        return
    s.metrics.count(_ENDED[ending.status])
    s.metrics.count(Metric.WAITS_CANCELLED, sum(_is_open_wait(step) for step in run.steps.values()))
    logger.info(
        "run ended",
        extra={
            "run_id": head.run_id,
            "function_id": head.seed.fn_id,
            "status": ending.status.value,
            "error": None if ending.error is None else ending.error.message,
            "took_ms": ending.ended_at_ms - head.seed.created_at_ms,
        },
    )


def _is_open_wait(step: StepRecord) -> bool:
    return step.plan.is_wait and step.status is StepStatus.WAITING


def _may_leave_traces(step: StepRecord) -> bool:
    """A wait that an event ended is cleaned by the event's message, unless that had come before the wait; every other
    one here."""
    if not step.status.is_final or step.outcome is None:
        return True
    cause = step.outcome.cause
    return cause is not None and (cause.kind is not CauseKind.EVENT or step.outcome.looked_back)


def invoke_result(run: Run, ending: Ending) -> StepOutcome:
    """What the invoking step is told."""
    cause = Cause(kind=CauseKind.RUN, id=run.head.run_id, name=run.head.seed.fn_id)
    error = ending.error
    if ending.status is not RunStatus.COMPLETED and error is None:
        error = ErrorInfo(name="InvokedFunctionFailed", message=f"the run ended as {ending.status.value}")
    return StepOutcome(
        ended_at_ms=ending.ended_at_ms,
        output=None if error is not None else ending.output,
        error=error,
        cause=cause,
        size_bytes=ending.size_bytes,
    )


def _invokers(s: Services, run: Run) -> Iterator[Invoker]:
    if run.head.seed.invoker is not None:
        yield run.head.seed.invoker
    # What a step invoked may have joined a batch.
    for event in run.rest:
        if event.name == INVOKED:
            record = s.events.get(event.internal_id)
            if record is not None and record.invoker is not None:
                yield record.invoker


def _answer_invoker(s: Services, run: Run, ending: Ending, invoker: Invoker) -> None:
    # The invocation is sent before the invoker's step is recorded, so an answer may come first and is put for it.
    plan = StepPlan(
        name=invoker.step_name or run.head.seed.fn_id,
        kind=StepKind.INVOKE,
        started_at_ms=run.head.seed.created_at_ms,
        invokes=run.head.seed.fn_id,
        invoked_run=run.head.run_id,
    )
    answer = invoke_result(run, ending)
    stored = s.runs.complete(invoker.run_id, invoker.step_id, answer, plan)
    if stored.outcome is answer:
        metrics.step_ended(s, stored, is_ours=True)
    cleanup.remove_timer(s, stored if stored.status is not StepStatus.WAITING else None)
    s.queues.send_work(TurnMessage(run_id=invoker.run_id))
