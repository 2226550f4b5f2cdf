"""A planned step runs by itself, beside the others of its parallel group, under a lease of its own. When it ends, a
turn is sent (DESIGN, "Work")."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chalicelib.core import limits
from chalicelib.core.calls import CallRequest, Opcode, Operation, Operations, Raised, Reply
from chalicelib.core.errors import Deferred, InfrastructureError
from chalicelib.core.messages import PlannedStepMessage, TurnMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.runs import Owner, Run
from chalicelib.core.steps import StepKind, StepPlan, StepRecord, StepStatus, completion_order, ended
from chalicelib.engine import concurrency, leases, metrics, settle, timeouts
from chalicelib.engine.concurrency import Places
from chalicelib.engine.expiry import stamped
from chalicelib.engine.logs import ids_logged
from chalicelib.engine.outcomes import attempt_of, exceeded, finished_step, next_attempt_ms
from chalicelib.engine.services import Delivery, Services, logger
from chalicelib.engine.timing import came_early, schedule


def handle(s: Services, message: PlannedStepMessage, delivery: Delivery) -> None:
    """Run the step once and record what came of it. Returning acknowledges the message."""
    if came_early(s, message):
        return
    run = s.runs.load(message.run_id)
    if run is None:
        logger.warning("a planned step of a run that is not there", extra={"run_id": message.run_id})
        concurrency.pass_by(s, None, message)
        return
    # Its message may be late.
    run.head = timeouts.end_if_passed(s, run.head) or run.head
    until_ms = leases.until_ms(delivery)
    places = concurrency.places(s, run.head.seed, run.event, message, delivery.nonce, until_ms)
    if run.head.ending is not None:
        if not run.head.settled:
            settle.settle_run(s, run)
        places.leave()
        return
    known = run.steps.get(message.step_id)
    if known is not None and not known.status.is_final and known.failures > message.attempt:
        # This attempt is recorded; whoever recorded it may have died before sending the next one.
        _send_attempt(s, message, known)
        places.leave(is_over=False)
        return
    seed = run.head.seed
    with ids_logged(run_id=seed.run_id, function_id=seed.fn_id, event_id=seed.event_id):
        _attempt(s, run, message, delivery, places)


def _attempt(s: Services, run: Run, message: PlannedStepMessage, delivery: Delivery, places: Places) -> None:
    owner = Owner(message_id=delivery.message_id, nonce=delivery.nonce)
    leased = _lease(s, run, message, owner, delivery, places)
    if leased is None:
        return
    step, version = leased
    if step.failures > message.attempt:
        # A copy of this message made the attempt meanwhile; the next one has its time.
        s.runs.drop_step_lease(message.run_id, message.step_id, owner)
        _send_attempt(s, message, step)
        places.leave(is_over=False)
        return
    try:
        if not places.enter(_Standing(s, message, owner, version).give_up):
            return
        _run_step(s, run, message, step, owner, delivery)
        places.give_back()
    except Exception:
        places.give_back_if_possible()
        _give_back(s, message, owner)
        raise


@dataclass
class _Standing:
    """Gives the step's lease back when it is to stand in line."""

    s: Services
    message: PlannedStepMessage
    owner: Owner
    version: int

    def give_up(self) -> bool:
        """False when there is news: whoever woke the step meanwhile found it leased."""
        version = self.s.runs.park_step(self.message.run_id, self.message.step_id, self.owner, self.version)
        if version is None:
            return True
        self.version = version
        return False


def _lease(
    s: Services, run: Run, message: PlannedStepMessage, owner: Owner, delivery: Delivery, places: Places
) -> tuple[StepRecord, int] | None:
    """The step, leased, and the lease's version; None when somebody else runs it or it has ended (then a turn has been
    sent)."""
    while True:
        now = s.clock.now_ms()
        plan = StepPlan(name=message.step_id, kind=StepKind.RUN, started_at_ms=now, planned=True, nth=len(run.steps))
        until_ms = leases.until_ms(delivery)
        lease = s.runs.lease_step(message.run_id, message.step_id, owner, plan, until_ms=until_ms, now_ms=now)
        if lease.granted:
            assert lease.step is not None
            if lease.step.starts > 1:
                s.metrics.count(Metric.LEASE_TAKEOVERS)
            return lease.step, lease.version
        if lease.step is not None and (lease.step.status.is_final or lease.step.status is StepStatus.WAITING):
            s.queues.send_work(TurnMessage(run_id=message.run_id))
            places.leave()
            return None
        if lease.own_message:
            remaining_s = max(1, (lease.lease_until_ms - now) // 1000 + 1)
            raise Deferred("this message's own step may still be running", visible_in_s=remaining_s)
        # Who holds it may be about to stand in line: it has to be told that it was woken.
        if not places.are_limited or s.runs.poke_step(message.run_id, message.step_id, now):
            return None


def _run_step(
    s: Services, run: Run, message: PlannedStepMessage, step: StepRecord, owner: Owner, delivery: Delivery
) -> None:
    config = s.catalog.get(run.head.seed.fn_id)
    max_attempts = limits.DEFAULT_RETRIES + 1 if config is None else config.max_attempts
    now = s.clock.now_ms()
    if step.starts > limits.MAX_STARTS_WITHOUT_PROGRESS:
        op = Operation(op=Opcode.STEP_FAILED, id=step.id, name=step.plan.name, error=exceeded(step.plan.name))
    else:
        reply = s.driver.call(
            CallRequest(
                run_id=message.run_id,
                fn_id=run.head.seed.fn_id,
                attempt=step.failures,
                max_attempts=max_attempts,
                event=run.event,
                rest=run.rest,
                steps=ended(run.steps),
                target=step.id,
                stack=completion_order(run.steps),
                has_planned=True,
                queue_item_id=owner.queue_item_id,
                deadline_ms=delivery.deadline_ms,
            )
        )
        found = _operation(reply, step, now)
        if found is None:
            logger.warning(
                "a planned step is no longer in its function",
                extra={"run_id": message.run_id, "step": step.plan.name},
            )
            s.queues.send_work(TurnMessage(run_id=message.run_id))
            return
        op = found
    _record(s, run, message, step, op, max_attempts)


def _operation(reply: Reply, step: StepRecord, now_ms: int) -> Operation | None:
    """What the reply says of this step. Code that raises on the way to it counts as the step's failure."""
    if isinstance(reply, Raised):
        return Operation(
            op=Opcode.STEP_ERROR,
            id=step.id,
            name=step.plan.name,
            error=reply.error,
            retriable=reply.retriable,
            retry_after_ms=reply.retry_after_ms,
            started_at_ms=now_ms,
        )
    if isinstance(reply, Operations):
        found = next((op for op in reply.ops if op.id == step.id), None)
        if found is not None and found.op is Opcode.STEP_NOT_FOUND:
            # The function decides its way by more than events and steps; another attempt may come there.
            return replace(found, op=Opcode.STEP_ERROR, name=step.plan.name, retriable=True, started_at_ms=now_ms)
        ran = (Opcode.STEP_RUN, Opcode.STEP_ERROR, Opcode.STEP_FAILED)
        return found if found is not None and found.op in ran else None
    return None


def _record(
    s: Services,
    run: Run,
    message: PlannedStepMessage,
    step: StepRecord,
    op: Operation,
    max_attempts: int,
) -> None:
    now = s.clock.now_ms()
    extra: dict[str, object] = {"run_id": message.run_id, "function_id": run.head.seed.fn_id, "step": op.name}
    plan = step.plan.model_copy(update={"name": op.name, "started_at_ms": op.started_at_ms or now})
    if step.plan.attempts:
        plan = plan.model_copy(update={"started_at_ms": step.plan.started_at_ms})
    due = None
    if op.op is not Opcode.STEP_RUN:
        plan = plan.model_copy(update={"attempts": (*plan.attempts, attempt_of(op, now))})
        due = next_attempt_ms(s, op, step.failures + 1, max_attempts, now)
    if due is None:
        ours = stamped(s, run, finished_step(op, plan, now))
        stored = s.runs.put_step(message.run_id, ours)
        metrics.step_ended(s, stored, is_ours=stored is ours)
        done = stored.status is StepStatus.COMPLETED
        logger.info("step completed" if done else "step failed", extra=extra | _took(op))
        s.queues.send_work(TurnMessage(run_id=message.run_id))
        return
    retry = StepRecord(id=step.id, status=StepStatus.RETRYING, plan=plan, wake_at_ms=due)
    metrics.attempt_failed(s, is_ours=s.runs.put_retry(message.run_id, stamped(s, run, retry)))
    error = attempt_of(op, now).error.message
    logger.info("step failed, will be retried", extra=extra | {"error": error, "in_ms": due - now})
    _send_attempt(s, message, retry)


def _took(op: Operation) -> dict[str, object]:
    if op.started_at_ms is None or op.ended_at_ms is None:
        return {}
    return {"took_ms": op.ended_at_ms - op.started_at_ms}


def _send_attempt(s: Services, message: PlannedStepMessage, step: StepRecord) -> None:
    due = step.wake_at_ms if step.wake_at_ms is not None else s.clock.now_ms()
    again = PlannedStepMessage(run_id=message.run_id, step_id=message.step_id, attempt=step.failures, due_ms=due)
    schedule(s, again)


def _give_back(s: Services, message: PlannedStepMessage, owner: Owner) -> None:
    try:
        s.runs.drop_step_lease(message.run_id, message.step_id, owner)
    except InfrastructureError:
        logger.info("the step's lease could not be given back", extra={"run_id": message.run_id})
