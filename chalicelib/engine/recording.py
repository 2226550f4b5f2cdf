"""What one turn records of its run's steps."""

from __future__ import annotations

from chalicelib.core import limits
from chalicelib.core.calls import Operation, Operations
from chalicelib.core.durations import format_duration
from chalicelib.core.messages import TurnMessage
from chalicelib.core.pauses import Pause
from chalicelib.core.runs import Owner, Run
from chalicelib.core.steps import FUNCTION_ENTRY, StepKind, StepPlan, StepRecord, StepStatus, TimerKey
from chalicelib.engine import metrics
from chalicelib.engine.expiry import keep_until, stamped
from chalicelib.engine.outcomes import attempt_of, code_changes, finished_step, is_failure, same_end
from chalicelib.engine.services import Services, logger
from chalicelib.engine.timing import schedule


class Recorder:
    """Writes steps under the turn's lease; `run.steps` is kept up to date with what is recorded."""

    def __init__(self, s: Services, run: Run, owner: Owner) -> None:
        self.s = s
        self.run = run
        self.owner = owner
        # Somebody recorded another end of a step than what the function goes by that has just answered.
        self.is_overtaken = False
        self._warnings: tuple[str, ...] = ()
        self._is_group = False

    def begin(self, reply: Operations) -> None:
        """What follows is of one answer. Where the code has changed since steps were memoised is told with the next
        step that is recorded."""
        self._warnings = code_changes(self.run, reply.unseen_steps, reply.changes)
        open_steps = [key for key, step in self.run.steps.items() if not step.status.is_final and key != FUNCTION_ENTRY]
        self._is_group = len(reply.ops) > 1 or bool(open_steps)

    def plan_of(self, op: Operation, kind: StepKind, now_ms: int) -> StepPlan:
        """The plan of a step that is not known yet."""
        warnings, self._warnings = self._warnings, ()
        return StepPlan(
            name=op.name[: limits.MAX_STEP_NAME_CHARS],
            kind=kind,
            started_at_ms=op.started_at_ms or now_ms,
            warnings=warnings,
            nth=len(self.run.steps),
            beside=self._is_group,
        )

    def end(self, op: Operation, plan: StepPlan) -> bool:
        """Record the end that the operation tells of; whether this is the one that is kept."""
        now = self.s.clock.now_ms()
        if is_failure(op):
            plan = plan.model_copy(update={"attempts": (*plan.attempts, attempt_of(op, now))})
        ours = finished_step(op, plan, now)
        step, is_ours = self.put(ours)
        if not is_ours and not same_end(step, ours):
            self.is_overtaken = True
        self.log("step completed" if step.status is StepStatus.COMPLETED else "step failed", op, step)
        return is_ours

    def put(self, step: StepRecord) -> tuple[StepRecord, bool]:
        """The step as it is recorded, and whether that is this one."""
        ours = stamped(self.s, self.run, step)
        stored = self.run.steps[step.id] = self.s.runs.put_step(self.run.head.run_id, ours)
        metrics.step_ended(self.s, stored, is_ours=stored is ours)
        return stored, stored is ours

    def retry(self, op: Operation, plan: StepPlan, due_ms: int) -> None:
        """Record a failed attempt; the next one is sent before."""
        now, run_id = self.s.clock.now_ms(), self.run.head.run_id
        timer = schedule(self.s, TurnMessage(run_id=run_id, due_ms=due_ms, step_id=op.id))
        plan = plan.model_copy(update={"attempts": (*plan.attempts, attempt_of(op, now)), "timer": timer})
        step = StepRecord(id=op.id, status=StepStatus.RETRYING, plan=plan, wake_at_ms=due_ms)
        metrics.attempt_failed(self.s, is_ours=self.s.runs.put_retry(run_id, stamped(self.s, self.run, step)))
        self.run.steps[op.id] = step
        self.log("step failed, will be retried", op, step, in_ms=due_ms - now)

    def wake_at(self, step_id: str, due_ms: int) -> TimerKey | None:
        """Have a turn come at that time, and the run's records kept until then."""
        keep_until(self.s, self.run, due_ms)
        return schedule(self.s, TurnMessage(run_id=self.run.head.run_id, due_ms=due_ms, step_id=step_id))

    def register(self, step: StepRecord, pauses: list[Pause] | None = None) -> bool:
        """Whether it was registered now."""
        ours = self.stamped(step)
        now = self.s.clock.now_ms()
        stored = self.s.runs.register(self.run.head.run_id, self.owner, ours, pauses or [], now)
        self.run.steps[step.id] = stored
        return stored is ours

    def stamped(self, step: StepRecord) -> StepRecord:
        """The step, to be kept as long as the run's other records."""
        return stamped(self.s, self.run, step)

    def log(self, text: str, op: Operation, step: StepRecord, in_ms: int | None = None) -> None:
        """Tell what became of a step."""
        extra: dict[str, object] = {
            "run_id": self.run.head.run_id,
            "function_id": self.run.head.seed.fn_id,
            "step": op.name,
        }
        if op.started_at_ms is not None and op.ended_at_ms is not None:
            extra["took_ms"] = op.ended_at_ms - op.started_at_ms
        if in_ms is not None:
            extra["for"] = format_duration(max(in_ms, 0))
        if op.error is not None:
            extra["error"] = op.error.message
        if step.plan.warnings:
            extra["warnings"] = "; ".join(step.plan.warnings)
        logger.info(text, extra=extra)
