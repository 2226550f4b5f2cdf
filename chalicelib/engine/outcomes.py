"""What comes of a step that ran: its record, its next attempt, and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.core import limits
from chalicelib.core.calls import ErrorInfo, Opcode, Operation, Operations
from chalicelib.core.retries import retry_at_ms
from chalicelib.core.runs import Run
from chalicelib.core.steps import Attempt, StepOutcome, StepPlan, StepRecord, StepStatus, count
from chalicelib.engine.services import Services

_MOST_CHARS = 500


def attempt_of(op: Operation, now_ms: int) -> Attempt:
    """The failed attempt that an operation tells of."""
    error = op.error if op.error is not None else ErrorInfo(name="Error", message="the step failed")
    return Attempt(started_at_ms=op.started_at_ms or now_ms, ended_at_ms=op.ended_at_ms or now_ms, error=error)


def next_attempt_ms(s: Services, op: Operation, failed_attempts: int, max_attempts: int, now_ms: int) -> int | None:
    """When a failed step is tried again, or None when it has failed for good."""
    return retry_at_ms(
        now_ms=now_ms,
        failed_attempts=failed_attempts,
        max_attempts=max_attempts,
        retriable=op.retriable and op.op is Opcode.STEP_ERROR,
        retry_after_ms=op.retry_after_ms,
        jitter=s.chance.jitter(),
        table_ms=s.settings.retry_table_ms,
    )


def is_failure(op: Operation) -> bool:
    """Whether a step that ran did not end well."""
    return op.op is not Opcode.STEP_RUN


def same_end(one: StepRecord, other: StepRecord) -> bool:
    """Whether two records tell the function the same: one was delivered twice."""
    return one.status is other.status and one.status.is_final and one.memo == other.memo


def finished_step(op: Operation, plan: StepPlan, now_ms: int) -> StepRecord:
    """The record of a step that ended: with its output, or for good with its error."""
    failed = is_failure(op)
    error = attempt_of(op, now_ms).error if failed else None
    outcome = StepOutcome(
        ended_at_ms=op.ended_at_ms or now_ms,
        output=None if failed else op.output,
        error=error,
        size_bytes=op.size_bytes,
    )
    status = StepStatus.FAILED if failed else StepStatus.COMPLETED
    return StepRecord(id=op.id, status=status, plan=plan, outcome=outcome)


def exceeded(name: str) -> ErrorInfo:
    """The error of a step that killed its process each time it began."""
    times = limits.MAX_STARTS_WITHOUT_PROGRESS
    return ErrorInfo.of(
        "ExceededTimeOrMemory",
        f"the step {name!r} exceeded time or memory: its process ended {times} times while it ran",
    )


def code_changes(run: Run, unseen: Sequence[str], changes: Sequence[str]) -> tuple[str, ...]:
    """Warnings where the function's code and its memoised steps differ: it went on without some of them, or they are
    something else now. Each is told once."""
    names = [run.steps[key].plan.name for key in unseen if key in run.steps]
    found = [f"it went on without the recorded steps {', '.join(repr(name) for name in names[:5])}"] if names else []
    found += [f"{change[:_MOST_CHARS]}; what is recorded stands" for change in changes[:5]]
    told = {warning for step in run.steps.values() for warning in step.plan.warnings}
    texts = [f"the code changed while the run was under way: {text}" for text in found]
    return tuple(text for text in texts if text not in told)


def changed_kind(step: StepRecord) -> ErrorInfo:
    """The error of a run whose code now runs a step that is recorded as waiting."""
    return ErrorInfo.of(
        "StepChanged",
        f"the step {step.plan.name!r} was registered as {step.plan.kind.value} and is now run: the code changed while "
        "the run was under way; give the new step another id",
    )


def killed(what: str) -> ErrorInfo:
    """The process ended whenever this was begun."""
    times = limits.MAX_STARTS_WITHOUT_PROGRESS
    return ErrorInfo.of(
        "ExceededTimeOrMemory",
        f"{what} exceeded time or memory: its process ended {times} times before anything was recorded",
    )


def unexpected(reply: Operations) -> ErrorInfo:
    """An answer that no function gives."""
    what = ", ".join(op.op.value for op in reply.ops) or "no operations"
    return ErrorInfo.of("UnexpectedReply", f"the function answered with {what}, which means nothing here")


def asks_in_vain(times: int) -> ErrorInfo:
    """An app that asks to be called again and again, and does nothing meanwhile."""
    return ErrorInfo.of(
        "UnexpectedReply", f"the function's app asked {times} times to be called again, without any step in between"
    )


def tells_again(times: int) -> ErrorInfo:
    """An app that only tells what is recorded already, so that nothing would ever wake the run."""
    return ErrorInfo.of(
        "UnexpectedReply",
        f"the function's app told {times} times of steps that had ended already, and asked for nothing else",
    )


def over_limits(run: Run) -> ErrorInfo | None:
    """The error of a run that has more steps, or more in them, than is allowed."""
    used = count(run.steps)
    if used.steps > limits.MAX_STEPS:
        return too_many_steps()
    if used.state_bytes > limits.MAX_RUN_STATE_BYTES:
        text = (
            f"the outputs of the run's steps have {used.state_bytes:,} bytes together; at most "
            f"{limits.MAX_RUN_STATE_BYTES:,} are allowed: keep large data elsewhere and return references"
        )
        return ErrorInfo.of("LimitExceeded", text)
    return None


def too_many_steps() -> ErrorInfo:
    """The error of a run that has more steps than is allowed."""
    text = f"the run has more than {limits.MAX_STEPS:,} steps; split the work with step.invoke or events"
    return ErrorInfo.of("LimitExceeded", text)
