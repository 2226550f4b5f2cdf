"""A turn drives a run: take its lease, call the function, carry out what it answers, again and again in the same
invocation, until the run waits, ends, or the invocation's time runs short (law 4; DESIGN, "Lease" and "News")."""

from __future__ import annotations

from chalicelib.core import limits
from chalicelib.core.calls import CallRequest, ErrorInfo, Opcode, Operations, Raised, Reply, Returned
from chalicelib.core.errors import Deferred, InfrastructureError, LeaseLost
from chalicelib.core.messages import TurnMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.runs import Ending, LeaseResult, Owner, Run, RunHead, RunStatus, wake_at_ms
from chalicelib.core.steps import FUNCTION_ENTRY, StepStatus, completion_order, count, ended, progress_mark
from chalicelib.engine import function_errors, looking_back, settle, waking
from chalicelib.engine.expiry import keep_all
from chalicelib.engine.logs import ids_logged
from chalicelib.engine.operations import Operator
from chalicelib.engine.outcomes import gone_steps, killed, unexpected
from chalicelib.engine.services import Delivery, Services, logger
from chalicelib.engine.timing import came_early


def handle(s: Services, message: TurnMessage, delivery: Delivery) -> None:
    """Drive the run as far as it goes. Returning acknowledges the message.

    Raises Deferred when the message must stay on the queue, InfrastructureError when AWS failed.
    """
    if came_early(s, message):
        return
    owner = Owner(message_id=delivery.message_id, nonce=delivery.nonce)
    head = _take_lease(s, message.run_id, owner, delivery)
    if head is None:
        return
    with ids_logged(run_id=head.run_id, function_id=head.seed.fn_id, event_id=head.seed.event_id):
        _drive(s, message, owner, head, delivery.deadline_ms)


def _drive(s: Services, message: TurnMessage, owner: Owner, head: RunHead, deadline_ms: int) -> None:
    try:
        _Turn(s, message, owner, head, deadline_ms).drive()
    except LeaseLost as error:
        raise Deferred(str(error), visible_in_s=limits.CLOCK_SKEW_MS // 1000) from error
    except Exception:
        _give_back(s, head.run_id, owner)
        raise


def _give_back(s: Services, run_id: str, owner: Owner) -> None:
    """After a fault: give the lease back if that is possible, so that the message can be tried again soon."""
    try:
        s.runs.release(run_id, owner, version=None, wake_at_ms=s.clock.now_ms())
    except (InfrastructureError, LeaseLost):
        logger.info("the lease could not be given back")


def _take_lease(s: Services, run_id: str, owner: Owner, delivery: Delivery) -> RunHead | None:
    until_ms = delivery.deadline_ms + limits.CLOCK_SKEW_MS
    while True:
        now = s.clock.now_ms()
        result, head = s.runs.take_lease(run_id, owner, until_ms=until_ms, now_ms=now)
        match result:
            case LeaseResult.TAKEN:
                if head is not None and head.starts > 1:
                    s.metrics.count(Metric.LEASE_TAKEOVERS)
                return head
            case LeaseResult.MISSING:
                logger.warning("a turn for a run that is not there", extra={"run_id": run_id})
                return None
            case LeaseResult.ENDED:
                if head is not None and not head.settled:
                    settle.settle(s, run_id)
                return None
            case LeaseResult.OWN_MESSAGE:
                # A second delivery of the only copy: it stays until the first one's lease has run out.
                assert head is not None
                remaining_s = max(1, (head.lease_until_ms - now) // 1000 + 1)
                raise Deferred("this message's own turn may still be running", visible_in_s=remaining_s)
            case LeaseResult.OTHER:
                if s.runs.poke(run_id, now):
                    return None


class _Turn:
    """One turn that holds its run's lease."""

    def __init__(self, s: Services, message: TurnMessage, owner: Owner, head: RunHead, deadline_ms: int) -> None:
        self._s = s
        self._message = message
        self._owner = owner
        self._head = head
        self._version = head.version
        self._news_at_ms = head.news_at_ms
        self._deadline_ms = deadline_ms
        self._run = self._load()
        self._starts = self._starts_without_progress()

    def _load(self) -> Run:
        run = self._s.runs.load(self._head.run_id)
        if run is None:
            raise LeaseLost("the run was deleted")
        return run

    def _now_ms(self) -> int:
        # Whoever brought news may have a clock that is ahead of ours: what was due for it is due for us.
        return max(self._s.clock.now_ms(), self._news_at_ms)

    def _starts_without_progress(self) -> int:
        if self._head.starts <= 1:
            return self._head.starts
        logger.warning("an earlier turn died", extra={"run_id": self._head.run_id, "starts": self._head.starts})
        mark = progress_mark(self._run.steps)
        if mark == self._head.progress_mark:
            return self._head.starts
        self._s.runs.mark_progress(self._head.run_id, self._owner, mark)
        return 1

    def drive(self) -> None:
        """Go on until there is nothing more to do now."""
        operator = Operator(self._s, self._run, self._owner)
        while True:
            waking.wake_due(self._s, self._run, self._now_ms())
            if self._over_limits():
                return
            if self._may_call():
                went_on = self._call(operator)
                if went_on is None:
                    return
                if went_on:
                    if self._has_ended() or self._is_out_of_time():
                        return
                    continue
            if self._look_back():
                if self._has_ended() or self._is_out_of_time():
                    return
                continue
            if self._suspend() or self._is_out_of_time():
                return
            operator = Operator(self._s, self._run, self._owner)

    def _may_call(self) -> bool:
        """Not while a step of this turn waits for its next attempt: calling would make the attempt now."""
        now = self._now_ms()
        finished = len(ended(self._run.steps))
        return not any(
            step.status is StepStatus.RETRYING
            and not step.plan.planned
            and step.wake_at_ms is not None
            and step.wake_at_ms > now
            and (key != FUNCTION_ENTRY or step.plan.after_steps == finished)
            for key, step in self._run.steps.items()
        )

    def _call(self, operator: Operator) -> bool | None:
        """Enter the function once. True: a step ended; False: nothing more to do now; None: the run has ended."""
        config = self._s.catalog.get(self._head.seed.fn_id)
        if self._starts > limits.MAX_STARTS_WITHOUT_PROGRESS + 1:
            self._end(RunStatus.FAILED, error=killed("the function's code outside of steps"))
            return None
        plan_only = self._starts > limits.MAX_STARTS_WITHOUT_PROGRESS
        max_attempts = limits.DEFAULT_RETRIES + 1 if config is None else config.max_attempts
        request = CallRequest(
            run_id=self._head.run_id,
            fn_id=self._head.seed.fn_id,
            attempt=function_errors.current_attempt(self._run.steps),
            max_attempts=max_attempts,
            event=self._run.event,
            steps=ended(self._run.steps),
            plan_only=plan_only,
            stack=completion_order(self._run.steps),
            has_planned=any(step.plan.planned for step in self._run.steps.values()),
            queue_item_id=self._owner.queue_item_id,
            deadline_ms=self._deadline_ms,
        )
        started_at_ms = self._s.clock.now_ms()
        reply = self._s.driver.call(request)
        if plan_only and isinstance(reply, Operations):
            self._starts = 1
            failed = operator.fail_killed_steps(reply)
            return operator.carry_out(reply, max_attempts) or failed
        return self._answer(operator, reply, started_at_ms, max_attempts)

    def _answer(self, operator: Operator, reply: Reply, started_at_ms: int, max_attempts: int) -> bool | None:
        match reply:
            case Returned():
                self._end(
                    RunStatus.COMPLETED,
                    output=reply.output,
                    size_bytes=reply.size_bytes,
                    warnings=gone_steps(self._run, reply.unseen_steps),
                )
                return None
            case Raised():
                if function_errors.record(self._s, self._run, reply, started_at_ms, max_attempts):
                    return False
                self._end(RunStatus.FAILED, error=reply.error)
                return None
            case Operations():
                unknown = [op for op in reply.ops if op.op is Opcode.STEP_NOT_FOUND]
                if unknown or not reply.ops:
                    self._end(RunStatus.FAILED, error=unexpected(reply))
                    return None
                went_on = operator.carry_out(reply, max_attempts)
                if operator.conflict is not None:
                    self._end(RunStatus.FAILED, error=operator.conflict)
                    return None
                return went_on

    def _over_limits(self) -> bool:
        used = count(self._run.steps)
        if used.steps > limits.MAX_STEPS:
            text = f"the run has more than {limits.MAX_STEPS:,} steps; split the work with ctx.step.invoke or events"
        elif used.state_bytes > limits.MAX_RUN_STATE_BYTES:
            text = (
                f"the outputs of the run's steps have {used.state_bytes:,} bytes together; at most "
                f"{limits.MAX_RUN_STATE_BYTES:,} are allowed: keep large data elsewhere and return references"
            )
        else:
            return False
        self._end(RunStatus.FAILED, error=ErrorInfo.of("LimitExceeded", text))
        return True

    def _has_ended(self) -> bool:
        """No step begins of a run that has ended (cancelled between two steps)."""
        head = self._s.runs.head(self._head.run_id)
        if head is None:
            raise LeaseLost("the run was deleted")
        if head.ending is None:
            if head.owner != self._owner:
                raise LeaseLost("another turn has taken the lease")
            return False
        if not head.settled:
            settle.settle_run(self._s, Run(head, self._run.event, self._run.steps))
        return True

    def _end(
        self,
        status: RunStatus,
        *,
        output: object = None,
        error: ErrorInfo | None = None,
        size_bytes: int = 0,
        warnings: tuple[str, ...] = (),
    ) -> None:
        ending = Ending(
            status=status,
            ended_at_ms=self._s.clock.now_ms(),
            output=output,
            error=error,
            size_bytes=size_bytes,
            warnings=warnings,
        )
        head = self._s.runs.end(self._head.run_id, ending, owner=self._owner)
        if head is not None and head.ending != ending:
            self._s.metrics.count(Metric.LATE_RESULTS)
        if head is not None and not head.settled:
            settle.settle_run(self._s, Run(head, self._run.event, self._run.steps))

    def _look_back(self) -> bool:
        """Whether a wait that looked back has ended, is due meanwhile, or has to look back further."""
        looked = looking_back.look_back(self._s, self._run, self._is_short_of_time)
        now = self._now_ms()
        return any(step.status.is_final or step.is_looking_back or waking.is_due(step, now) for step in looked)

    def _suspend(self) -> bool:
        """Give the lease back; False when there is news, which has then been read."""
        wake = wake_at_ms(self._run.steps, self._now_ms())
        keep_all(self._s, self._run, wake)
        head = self._s.runs.release(self._head.run_id, self._owner, version=self._version, wake_at_ms=wake)
        if head is None:
            return True
        if head.ending is not None:
            settle.settle(self._s, head.run_id)
            return True
        self._version, self._news_at_ms = head.version, max(self._news_at_ms, head.news_at_ms)
        self._run = self._load()
        return False

    def _is_short_of_time(self) -> bool:
        return self._deadline_ms - self._s.clock.now_ms() < self._s.settings.hand_over_below_ms

    def _is_out_of_time(self) -> bool:
        if not self._is_short_of_time():
            return False
        self._hand_over()
        return True

    def _hand_over(self) -> None:
        """Release first, then send: a turn that came while we held the lease would only poke us."""
        if self._message.hop >= limits.MAX_HOPS:
            self._end(RunStatus.FAILED, error=ErrorInfo.of("LimitExceeded", "the run was handed over too often"))
            return
        now = self._s.clock.now_ms()
        head = self._s.runs.release(self._head.run_id, self._owner, version=None, wake_at_ms=now)
        if head is not None and head.ending is not None:
            settle.settle(self._s, head.run_id)
            return
        logger.info("handed over to the queue", extra={"run_id": self._head.run_id})
        self._s.queues.send_work(TurnMessage(run_id=self._head.run_id, hop=self._message.hop + 1))
