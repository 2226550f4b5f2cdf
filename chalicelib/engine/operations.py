"""Carrying out what a function asks for."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.core import gateway as requests
from chalicelib.core.calls import ErrorInfo, Opcode, Operation, Operations
from chalicelib.core.messages import PlannedStepMessage
from chalicelib.core.runs import Owner, Run
from chalicelib.core.steps import StepKind, StepRecord, StepStatus
from chalicelib.engine import gateway, registering
from chalicelib.engine.outcomes import changed_kind, exceeded, next_attempt_ms
from chalicelib.engine.recording import Recorder
from chalicelib.engine.services import Services

_RAN = (Opcode.STEP_RUN, Opcode.STEP_FAILED, Opcode.STEP_ERROR)
_REGISTERED: dict[Opcode, Callable[[Recorder, Operation], None]] = {
    Opcode.SLEEP: registering.sleep,
    Opcode.WAIT_FOR_EVENT: registering.wait,
    Opcode.WAIT_FOR_SIGNAL: registering.wait_for_signal,
    Opcode.INVOKE_FUNCTION: registering.invoke,
}


class Operator:
    """Carries out the operations of one answer; `run.steps` is kept up to date with what is recorded."""

    def __init__(self, s: Services, run: Run, owner: Owner, *, deadline_ms: int, is_first: bool) -> None:
        self._s = s
        self._run = run
        self._recorder = Recorder(s, run, owner)
        self._deadline_ms = deadline_ms
        self._is_first = is_first
        # Set when the code contradicts what is recorded, so that the run cannot go on.
        self.conflict: ErrorInfo | None = None
        # Requests are left to an invocation that has the time for them.
        self.needs_time = False

    @property
    def is_overtaken(self) -> bool:
        """Whether the function went by another end of a step than the one that is recorded: what it asked for beyond
        is not carried out, and it has to be called again."""
        return self._recorder.is_overtaken

    def carry_out(self, reply: Operations, max_attempts: int) -> bool:
        """True when a step has ended, so that the function can go on."""
        self._recorder.begin(reply)
        before = {key for key, step in self._run.steps.items() if step.status.is_final}
        wanted: list[Operation] = []
        for op in reply.ops:
            known = self._run.steps.get(op.id)
            if op.op in _RAN:
                if known is not None and known.status is StepStatus.WAITING:
                    self.conflict = changed_kind(known)
                    return False
                self._ran(op, known, StepKind.RUN, max_attempts)
                if self.is_overtaken:
                    return True
            elif op.op is Opcode.STEP_PLANNED:
                self._plan(op, known)
            elif op.op in _REGISTERED:
                if known is None or _may_change(known):
                    _REGISTERED[op.op](self._recorder, op)
            elif op.op in gateway.REQUESTS and self._is_wanted(known):
                wanted.append(op)
        self._request(wanted, max_attempts)
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
        failed = Operation(op=Opcode.STEP_FAILED, id=op.id, name=op.name, error=exceeded(op.name))
        self._ran(failed, known, StepKind.RUN, 1)
        return True

    def _ran(self, op: Operation, known: StepRecord | None, kind: StepKind, max_attempts: int) -> None:
        now = self._s.clock.now_ms()
        plan = known.plan if known is not None else self._recorder.plan_of(op, kind, now)
        if op.gateway is not None:
            plan = plan.model_copy(update={"kind": kind, "request": requests.shown(op.gateway)})
        due = None
        if op.op is not Opcode.STEP_RUN:
            failures = 1 + (0 if known is None else known.failures)
            due = next_attempt_ms(self._s, op, failures, max_attempts, now)
        if due is None:
            self._recorder.end(op, plan)
        else:
            self._recorder.retry(op, plan, due)

    def _plan(self, op: Operation, known: StepRecord | None) -> None:
        if known is not None and (known.status is not StepStatus.RETRYING or known.plan.planned):
            return  # Asked for again while it is under way.
        attempt = 0 if known is None else known.failures
        message = PlannedStepMessage(run_id=self._run.head.run_id, step_id=op.id, attempt=attempt)
        self._s.queues.send_work(message)
        if known is None:
            plan = self._recorder.plan_of(op, StepKind.RUN, self._s.clock.now_ms())
            plan = plan.model_copy(update={"planned": True})
            self._recorder.register(StepRecord(id=op.id, status=StepStatus.PLANNED, plan=plan))

    def _is_wanted(self, known: StepRecord | None) -> bool:
        """Whether the request is to be made now."""
        if known is None:
            return True
        is_due = known.wake_at_ms is None or known.wake_at_ms <= self._s.clock.now_ms()
        return _may_change(known) and is_due

    def _request(self, ops: list[Operation], max_attempts: int) -> None:
        if not ops:
            return
        if not self._is_first and not gateway.has_room(self._s, self._deadline_ms):
            self.needs_time = True
            return
        for op, ended in gateway.ended(self._s, ops, self._deadline_ms):
            self._ran(ended, self._run.steps.get(op.id), gateway.REQUESTS[op.op], max_attempts)


def _may_change(known: StepRecord) -> bool:
    """Whether a known step is open to be registered as something else, since the code changed: not one that waits or
    has ended, and a planned one only until it is run."""
    return known.status in (StepStatus.RETRYING, StepStatus.PLANNED)
