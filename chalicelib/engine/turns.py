"""A turn drives a run: take its lease, call the function, carry out what it answers, again and again in the same
invocation, until the run waits, ends, or the invocation's time runs short (law 4; DESIGN, "Lease" and "News")."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.core import limits
from chalicelib.core.calls import CallRequest, ErrorInfo, Operations, Raised, Reply, Returned
from chalicelib.core.errors import Deferred, LeaseLost
from chalicelib.core.functions import FunctionConfig
from chalicelib.core.messages import TurnMessage
from chalicelib.core.runs import Owner, RunHead, RunStatus
from chalicelib.core.steps import FUNCTION_ENTRY, StepStatus, ended
from chalicelib.engine import answers, function_errors, leases, looking_back, places, waking
from chalicelib.engine.held_runs import HeldRun
from chalicelib.engine.logs import ids_logged
from chalicelib.engine.operations import Operator
from chalicelib.engine.outcomes import asks_in_vain, code_changes, killed, tells_again, unexpected
from chalicelib.engine.services import Delivery, Services
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


class _Turn(HeldRun):
    """One turn that holds its run's lease."""

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
                if went_on or (not answer.asks_again and self._waits()):
                    self._asked_again = 0
                    return went_on
                return self._is_asked_again(asks_in_vain if answer.asks_again else tells_again)

    def _waits(self) -> bool:
        """Whether there is a step whose end will wake the run."""
        return any(not step.status.is_final for step in self._run.steps.values())

    def _complete(self, reply: Returned) -> None:
        warnings = code_changes(self._run, reply.unseen_steps, reply.changes)
        self._end(RunStatus.COMPLETED, output=reply.output, size_bytes=reply.size_bytes, warnings=warnings)

    def _raised(
        self, raised: Raised, started_at_ms: int, max_attempts: int, config: FunctionConfig | None
    ) -> bool | None:
        if config is not None and config.driver != "in_process" and self._has_ended():
            return None  # Where it raised counts; its app may have recorded steps before.
        if function_errors.record(self._s, self._run, raised, started_at_ms, max_attempts):
            return False
        warnings = code_changes(self._run, (), raised.changes)
        self._end(RunStatus.FAILED, error=raised.error, warnings=warnings)
        return None

    def _is_asked_again(self, error: Callable[[int], ErrorInfo]) -> bool | None:
        """Whether the function may be called once more: it asked for that, or for nothing that would wake the run."""
        self._asked_again += 1
        if self._asked_again <= limits.MAX_STARTS_WITHOUT_PROGRESS:
            return True
        self._end(RunStatus.FAILED, error=error(self._asked_again))
        return None

    def _look_back(self) -> bool:
        """Whether a wait that looked back has ended, is due meanwhile, or has to look back further."""
        looked = looking_back.look_back(self._s, self._run, self._is_short_of_time)
        now = self._now_ms()
        return any(step.status.is_final or step.is_looking_back or waking.is_due(step, now) for step in looked)
