"""A turn drives a run: take its lease, call the function, carry out what it answers, again and again in the same
invocation, until the run waits, ends, or the invocation's time runs short (law 4; DESIGN, "Lease" and "News")."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.core import limits
from chalicelib.core.calls import CallRequest, ErrorInfo, Operations, Raised, Reply, Returned
from chalicelib.core.errors import Deferred, LeaseLost
from chalicelib.core.functions import FunctionConfig
from chalicelib.core.messages import TurnMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.runs import IN_LINE_SAFETY_MS, Ending, Owner, Run, RunHead, RunStatus, wake_at_ms
from chalicelib.core.steps import FUNCTION_ENTRY, StepStatus, ended, progress_mark
from chalicelib.engine import answers, concurrency, function_errors, leases, looking_back, places, settle, waking
from chalicelib.engine.expiry import keep_all
from chalicelib.engine.logs import ids_logged
from chalicelib.engine.operations import Operator
from chalicelib.engine.outcomes import asks_in_vain, gone_steps, killed, over_limits, unexpected
from chalicelib.engine.services import Delivery, Services, logger
from chalicelib.engine.timing import came_early


def handle(s: Services, message: TurnMessage, delivery: Delivery) -> None:
    """Drive the run as far as it goes. Returning acknowledges the message.

    Raises Deferred when the message must stay on the queue, InfrastructureError when AWS failed.
    """
    if came_early(s, message):
        return
    owner = Owner(message_id=delivery.message_id, nonce=delivery.nonce)
    head = leases.take(s, message, owner, delivery)
    if head is None:
        return
    with ids_logged(run_id=head.run_id, function_id=head.seed.fn_id, event_id=head.seed.event_id):
        _drive(s, message, owner, head, delivery)


def _drive(s: Services, message: TurnMessage, owner: Owner, head: RunHead, delivery: Delivery) -> None:
    turn: _Turn | None = None
    try:
        turn = _Turn(s, message, owner, head, delivery)
        turn.drive()
        turn.places.give_back()
    except LeaseLost as error:
        if turn is not None:
            turn.places.give_back_if_possible()
        raise Deferred(str(error), visible_in_s=limits.CLOCK_SKEW_MS // 1000) from error
    except Exception:
        if turn is not None:
            turn.places.give_back_if_possible()
        leases.give_back(s, head.run_id, owner)
        raise


class _Turn:
    """One turn that holds its run's lease."""

    def __init__(self, s: Services, message: TurnMessage, owner: Owner, head: RunHead, delivery: Delivery) -> None:
        self._s = s
        self._message = message
        self._owner = owner
        self._head = head
        self._version = head.version
        self._news_at_ms = head.news_at_ms
        self._checkpointed = head.checkpointed
        self._deadline_ms = delivery.deadline_ms
        # How often the function has been called in this turn, and how often only to be called again.
        self._calls = 0
        self._asked_again = 0
        self._run = self._load()
        self._starts = self._starts_without_progress()
        until_ms = leases.until_ms(delivery)
        self.places = concurrency.places(s, head.seed, self._run.event, message, delivery.nonce, until_ms)

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
        """Go on until there is nothing more to do now, if there is a place for it."""
        if not self._enter():
            return
        while True:
            waking.wake_due(self._s, self._run, self._now_ms())
            if self._over_limits():
                return
            if self._may_call():
                went_on = self._call()
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

    def _enter(self) -> bool:
        """Have a place under each limit, and so begin; False when the run stands in line or has ended."""
        if not self.places.enter(self._stand_in_line):
            return False
        if not self._head.gated:
            return True
        self._head = self._s.runs.begin(self._head.run_id, self._owner, self._s.clock.now_ms())
        if self._head.ending is None:
            return True
        settle.settle(self._s, self._head.run_id)
        return False

    def _stand_in_line(self) -> bool:
        """Give the lease back; False when there is news, which has then been read."""
        wake = self._s.clock.now_ms() + IN_LINE_SAFETY_MS
        keep_all(self._s, self._run, wake)
        head = self._s.runs.park(self._head.run_id, self._owner, version=self._version, wake_at_ms=wake)
        if head is None:
            logger.info("stands in line for a place", extra={"run_id": self._head.run_id})
            return True
        if head.ending is not None:
            settle.settle(self._s, head.run_id)
            self.places.leave()
            return True
        self._read_news(head)
        return False

    def _read_news(self, head: RunHead) -> None:
        self._version, self._news_at_ms = head.version, max(self._news_at_ms, head.news_at_ms)
        self._run = self._load()

    def _may_call(self) -> bool:
        """Not while a step of this turn waits for its next attempt: calling would make the attempt now."""
        now = self._now_ms()
        finished = len(ended(self._run.steps))
        return not any(
            step.status is StepStatus.RETRYING
            and not step.plan.planned
            and not step.plan.is_request
            and step.wake_at_ms is not None
            and step.wake_at_ms > now
            and (key != FUNCTION_ENTRY or step.plan.after_steps == finished)
            for key, step in self._run.steps.items()
        )

    def _call(self) -> bool | None:
        """Enter the function once. True: it is to be entered again; False: nothing more to do now; None: the run has
        ended, or another invocation goes on with it."""
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
            rest=self._run.rest,
            steps=ended(self._run.steps),
            plan_only=plan_only,
            stack=places.stack(self._s, self._run, config),
            has_planned=any(step.plan.is_side_by_side for step in self._run.steps.values()),
            queue_item_id=self._owner.queue_item_id,
            deadline_ms=self._deadline_ms,
        )
        started_at_ms = self._s.clock.now_ms()
        self._calls += 1
        reply = self._s.driver.call(request)
        if plan_only and isinstance(reply, Operations):
            self._starts = 1
            if self._operator().fail_killed_steps(reply):
                return True
        return self._answer(reply, started_at_ms, max_attempts, config)

    def _operator(self) -> Operator:
        return Operator(self._s, self._run, self._owner, deadline_ms=self._deadline_ms, is_first=self._calls == 1)

    def _answer(
        self, reply: Reply, started_at_ms: int, max_attempts: int, config: FunctionConfig | None
    ) -> bool | None:
        match reply:
            case Returned():
                self._complete(reply)
                return None
            case Raised():
                return self._raised(reply, started_at_ms, max_attempts, config)
            case Operations():
                answer = answers.sort(reply)
                if answer is None:
                    self._end(RunStatus.FAILED, error=unexpected(reply))
                    return None
                operator = self._operator()
                went_on = operator.carry_out(answer.steps, max_attempts)
                if operator.conflict is not None:
                    self._end(RunStatus.FAILED, error=operator.conflict)
                    return None
                if operator.is_overtaken:
                    return True
                if answer.returned is not None:
                    self._complete(answer.returned)
                    return None
                if answer.raised is not None:
                    return self._raised(answer.raised, started_at_ms, max_attempts, config)
                if operator.needs_time:
                    self._hand_over()
                    return None
                if went_on or not answer.asks_again:
                    self._asked_again = 0
                    return went_on
                return self._is_asked_again()

    def _complete(self, reply: Returned) -> None:
        warnings = gone_steps(self._run, reply.unseen_steps)
        self._end(RunStatus.COMPLETED, output=reply.output, size_bytes=reply.size_bytes, warnings=warnings)

    def _raised(
        self, raised: Raised, started_at_ms: int, max_attempts: int, config: FunctionConfig | None
    ) -> bool | None:
        if config is not None and config.driver != "in_process" and self._has_ended():
            return None  # Where it raised counts; its app may have recorded steps before.
        if function_errors.record(self._s, self._run, raised, started_at_ms, max_attempts):
            return False
        self._end(RunStatus.FAILED, error=raised.error)
        return None

    def _is_asked_again(self) -> bool | None:
        """Whether the function may be called once more, as it asked for."""
        self._asked_again += 1
        if self._asked_again <= limits.MAX_STARTS_WITHOUT_PROGRESS:
            return True
        self._end(RunStatus.FAILED, error=asks_in_vain(self._asked_again))
        return None

    def _over_limits(self) -> bool:
        error = over_limits(self._run)
        if error is not None:
            self._end(RunStatus.FAILED, error=error)
        return error is not None

    def _has_ended(self) -> bool:
        """No step begins of a run that has ended (cancelled between two steps)."""
        head = self._s.runs.head(self._head.run_id)
        if head is None:
            raise LeaseLost("the run was deleted")
        if head.ending is None:
            if head.owner != self._owner:
                raise LeaseLost("another turn has taken the lease")
            if head.checkpointed != self._checkpointed:
                # The function's app has recorded steps while it was called.
                self._checkpointed = head.checkpointed
                self._asked_again = 0
                self._run = self._load()
            return False
        if not head.settled:
            settle.settle_run(self._s, replace(self._run, head=head))
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
            settle.settle_run(self._s, replace(self._run, head=head))

    def _look_back(self) -> bool:
        """Whether a wait that looked back has ended, is due meanwhile, or has to look back further."""
        looked = looking_back.look_back(self._s, self._run, self._is_short_of_time)
        now = self._now_ms()
        return any(step.status.is_final or step.is_looking_back or waking.is_due(step, now) for step in looked)

    def _suspend(self) -> bool:
        """Give the lease back; False when there is news, which has then been read, and a place to go on."""
        wake = wake_at_ms(self._run.steps, self._now_ms())
        keep_all(self._s, self._run, wake)
        # Before the lease: until then whoever wakes this run is heard.
        self.places.give_back()
        head = self._s.runs.release(self._head.run_id, self._owner, version=self._version, wake_at_ms=wake)
        if head is None:
            return True
        if head.ending is not None:
            settle.settle(self._s, head.run_id)
            return True
        self._read_news(head)
        return not self._enter()

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
        self.places.give_back()
        now = self._s.clock.now_ms()
        head = self._s.runs.release(self._head.run_id, self._owner, version=None, wake_at_ms=now)
        if head is not None and head.ending is not None:
            settle.settle(self._s, head.run_id)
            return
        logger.info("handed over to the queue", extra={"run_id": self._head.run_id})
        self._s.queues.send_work(TurnMessage(run_id=self._head.run_id, hop=self._message.hop + 1))
