"""Carrying out what a function asks for. What is expected later is sent before the write that makes it expected, so
that the record proves the sending (DESIGN, "Send before you record")."""

from __future__ import annotations

from chalicelib.core import events as names
from chalicelib.core import ids, limits
from chalicelib.core.calls import ErrorInfo, InvokeOptions, Opcode, Operation, Operations
from chalicelib.core.durations import format_duration
from chalicelib.core.errors import InvalidExpression
from chalicelib.core.events import Event
from chalicelib.core.messages import EventMessage, PlannedStepMessage, TurnMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.pauses import Pause
from chalicelib.core.runs import Invoker, Owner, Run
from chalicelib.core.steps import (
    StepKind,
    StepOutcome,
    StepPlan,
    StepRecord,
    StepStatus,
    TimerKey,
)
from chalicelib.engine import metrics, waits
from chalicelib.engine.expiry import keep_until, stamped
from chalicelib.engine.outcomes import attempt_of, changed_kind, exceeded, finished_step, gone_steps, next_attempt_ms
from chalicelib.engine.services import Services, logger
from chalicelib.engine.timing import schedule

_WAITING = StepStatus.WAITING


class Operator:
    """Carries out the operations of one turn; `run.steps` is kept up to date with what is recorded."""

    def __init__(self, s: Services, run: Run, owner: Owner) -> None:
        self._s = s
        self._run = run
        self._owner = owner
        # Set when the code contradicts what is recorded, so that the run cannot go on.
        self.conflict: ErrorInfo | None = None
        # Told with the next step that is recorded.
        self._warnings: tuple[str, ...] = ()

    def carry_out(self, reply: Operations, max_attempts: int) -> bool:
        """True when a step has ended, so that the function can go on."""
        self._warnings = gone_steps(self._run, reply.unseen_steps)
        before = {key for key, step in self._run.steps.items() if step.status.is_final}
        for op in reply.ops:
            known = self._run.steps.get(op.id)
            match op.op:
                case Opcode.STEP_RUN | Opcode.STEP_FAILED | Opcode.STEP_ERROR if known and known.status is _WAITING:
                    self.conflict = changed_kind(known)
                    return False
                case Opcode.STEP_RUN | Opcode.STEP_FAILED | Opcode.STEP_ERROR:
                    self._ran(op, known, max_attempts)
                case _ if known is not None and (known.status is not StepStatus.RETRYING or known.plan.planned):
                    pass  # Asked for again while it is under way.
                case Opcode.STEP_PLANNED:
                    self._plan(op, known)
                case Opcode.SLEEP:
                    self._sleep(op)
                case Opcode.WAIT_FOR_EVENT:
                    self._wait(op)
                case Opcode.INVOKE_FUNCTION:
                    self._invoke(op)
        return any(step.status.is_final and key not in before for key, step in self._run.steps.items())

    def fail_killed_steps(self, reply: Operations) -> bool:
        """The step that the function would run next killed its process each time: it fails for good.

        Several operations are a group, which no turn runs itself: whatever died, died before it.
        """
        if len(reply.ops) != 1 or reply.ops[0].op is not Opcode.STEP_PLANNED:
            return False
        op = reply.ops[0]
        known = self._run.steps.get(op.id)
        if known is not None and known.plan.planned:
            return False
        self._record(Operation(op=Opcode.STEP_FAILED, id=op.id, name=op.name, error=exceeded(op.name)), known)
        return True

    def _plan_of(self, op: Operation, kind: StepKind, now_ms: int) -> StepPlan:
        warnings, self._warnings = self._warnings, ()
        name = op.name[: limits.MAX_STEP_NAME_CHARS]
        return StepPlan(
            name=name,
            kind=kind,
            started_at_ms=op.started_at_ms or now_ms,
            warnings=warnings,
            nth=len(self._run.steps),
        )

    def _record(self, op: Operation, known: StepRecord | None) -> bool:
        """Whether this is the end that is kept."""
        now = self._s.clock.now_ms()
        plan = known.plan if known is not None else self._plan_of(op, StepKind.RUN, now)
        if op.op is not Opcode.STEP_RUN:
            plan = plan.model_copy(update={"attempts": (*plan.attempts, attempt_of(op, now))})
        step, is_ours = self._put(finished_step(op, plan, now))
        self._log("step completed" if step.status is StepStatus.COMPLETED else "step failed", op, step)
        return is_ours

    def _put(self, step: StepRecord) -> tuple[StepRecord, bool]:
        """The step as it is recorded, and whether that is this one."""
        ours = stamped(self._s, self._run, step)
        stored = self._run.steps[step.id] = self._s.runs.put_step(self._run.head.run_id, ours)
        metrics.step_ended(self._s, stored, is_ours=stored is ours)
        return stored, stored is ours

    def _ran(self, op: Operation, known: StepRecord | None, max_attempts: int) -> None:
        if op.op is Opcode.STEP_RUN:
            self._record(op, known)
            return
        now = self._s.clock.now_ms()
        failures = 1 + (0 if known is None else known.failures)
        due = next_attempt_ms(self._s, op, failures, max_attempts, now)
        if due is None:
            self._record(op, known)
            return
        timer = schedule(self._s, TurnMessage(run_id=self._run.head.run_id, due_ms=due, step_id=op.id))
        plan = known.plan if known is not None else self._plan_of(op, StepKind.RUN, now)
        plan = plan.model_copy(update={"attempts": (*plan.attempts, attempt_of(op, now)), "timer": timer})
        step = StepRecord(id=op.id, status=StepStatus.RETRYING, plan=plan, wake_at_ms=due)
        is_ours = self._s.runs.put_retry(self._run.head.run_id, stamped(self._s, self._run, step))
        metrics.attempt_failed(self._s, is_ours=is_ours)
        self._run.steps[op.id] = step
        self._log("step failed, will be retried", op, step, in_ms=due - now)

    def _plan(self, op: Operation, known: StepRecord | None) -> None:
        attempt = 0 if known is None else known.failures
        message = PlannedStepMessage(run_id=self._run.head.run_id, step_id=op.id, attempt=attempt)
        self._s.queues.send_work(message)
        if known is None:
            plan = self._plan_of(op, StepKind.RUN, self._s.clock.now_ms()).model_copy(update={"planned": True})
            self._register(StepRecord(id=op.id, status=StepStatus.PLANNED, plan=plan))

    def _sleep(self, op: Operation) -> None:
        now = self._s.clock.now_ms()
        due = op.sleep_until_ms if op.sleep_until_ms is not None else now
        plan = self._plan_of(op, StepKind.SLEEP, now)
        if due <= now:
            outcome = StepOutcome(ended_at_ms=now)
            self._put(StepRecord(id=op.id, status=StepStatus.COMPLETED, plan=plan, outcome=outcome))
            return
        timer = self._wake_at(op.id, due)
        step = StepRecord(
            id=op.id,
            status=StepStatus.WAITING,
            plan=plan.model_copy(update={"timer": timer}),
            wake_at_ms=due,
        )
        self._register(step)
        self._log("sleeping", op, step, in_ms=due - now)

    def _wait(self, op: Operation) -> None:
        assert op.wait is not None
        now = self._s.clock.now_ms()
        config = self._s.catalog.get(self._run.head.seed.fn_id)
        try:
            found = waits.registration(
                self._run,
                op,
                None if config is None else config.lookback,
                now,
                lambda name: self._s.pauses.shapes_lately(name, now),
            )
        except InvalidExpression as error:
            # Law 3: the step fails for good, here and now; nothing goes back to the queue.
            info = ErrorInfo.of("InvalidExpression", str(error))
            if self._record(Operation(op=Opcode.STEP_FAILED, id=op.id, name=op.name, error=info), None):
                self._s.metrics.count(Metric.INVALID_EXPRESSIONS)
            return
        due = now + op.wait.timeout_ms
        for pause in found.pauses:
            self._s.pauses.note_shape(pause.event_name, pause.shape, due)
        timer = self._wake_at(op.id, due)
        plan = found.described(self._plan_of(op, StepKind.WAIT, now), op).model_copy(update={"timer": timer})
        step = StepRecord(id=op.id, status=StepStatus.WAITING, plan=plan, wake_at_ms=due, look_before=found.look_before)
        if self._register(step, found.pauses):
            self._s.metrics.count(Metric.WAITS_OPENED)
        names = dict.fromkeys(awaited.event for awaited in op.wait.awaited)
        self._log(f"waiting for {' or '.join(names)}", op, step, in_ms=due - now)

    def _invoke(self, op: Operation) -> None:
        assert op.invoke is not None
        options = op.invoke
        invoked = self._s.catalog.get(options.function_id)
        if invoked is None or invoked.retired:
            known = ", ".join(sorted(config.id for config in self._s.catalog.configs()))
            info = ErrorInfo.of(
                "FunctionNotFound",
                f"the invoked function {options.function_id!r} is not there; known functions: {known}",
            )
            self._record(Operation(op=Opcode.STEP_FAILED, id=op.id, name=op.name, error=info), None)
            return
        now = self._s.clock.now_ms()
        due = now + options.timeout_ms
        timer = self._wake_at(op.id, due)
        event = self._invocation(op, options, now)
        plan = self._plan_of(op, StepKind.INVOKE, now)
        self._s.queues.send_events(
            [
                EventMessage(
                    event=event,
                    target=options.function_id,
                    invoker=Invoker(run_id=self._run.head.run_id, step_id=op.id, step_name=plan.name),
                )
            ]
        )
        plan = plan.model_copy(
            update={
                "invokes": options.function_id,
                "invoked_run": ids.run_id(event.internal_id, options.function_id),
                "timer": timer,
            }
        )
        step = StepRecord(id=op.id, status=StepStatus.WAITING, plan=plan, wake_at_ms=due)
        self._register(step)
        self._log(f"invoking {options.function_id}", op, step)

    def _invocation(self, op: Operation, options: InvokeOptions, now_ms: int) -> Event:
        run_id = self._run.head.run_id
        # Derived from run and step, in the run's own time: an invocation that is sent twice starts one run.
        internal_id = ids.step_event_id(run_id, op.id, 0, names.INVOKED, ids.ulid_time_ms(run_id))
        return Event(
            internal_id=internal_id,
            received_at_us=now_ms * 1000,
            id=internal_id,
            name=names.INVOKED,
            data=options.data,
            user=options.user,
            ts=now_ms,
            v=options.v,
            source="invoke",
        )

    def _wake_at(self, step_id: str, due_ms: int) -> TimerKey | None:
        keep_until(self._s, self._run, due_ms)
        return schedule(self._s, TurnMessage(run_id=self._run.head.run_id, due_ms=due_ms, step_id=step_id))

    def _register(self, step: StepRecord, pauses: list[Pause] | None = None) -> bool:
        """Whether it was registered now."""
        run_id, now = self._run.head.run_id, self._s.clock.now_ms()
        ours = stamped(self._s, self._run, step)
        stored = self._run.steps[step.id] = self._s.runs.register(run_id, self._owner, ours, pauses or [], now)
        return stored is ours

    def _log(self, text: str, op: Operation, step: StepRecord, in_ms: int | None = None) -> None:
        extra: dict[str, object] = {
            "run_id": self._run.head.run_id,
            "function_id": self._run.head.seed.fn_id,
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
