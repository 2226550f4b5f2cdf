"""A run in the hands of the turn that holds its lease: what is known of it, its places, and how the turn ends."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.core import limits
from chalicelib.core.calls import ErrorInfo
from chalicelib.core.errors import LeaseLost
from chalicelib.core.messages import TurnMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.runs import (
    IN_LINE_SAFETY_MS,
    PAUSED_SAFETY_MS,
    Ending,
    Owner,
    Run,
    RunHead,
    RunStatus,
    wake_at_ms,
)
from chalicelib.core.steps import progress_mark
from chalicelib.core.timeouts import no_later
from chalicelib.engine import concurrency, leases, settle, timeouts
from chalicelib.engine.expiry import keep_all
from chalicelib.engine.outcomes import over_limits
from chalicelib.engine.services import Delivery, Services, logger


class HeldRun:
    """A run, and the lease of one turn on it. What raises LeaseLost found the lease taken by another turn."""

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

    def _enter(self) -> bool:
        """Have a place under each limit, and so begin; False when the run stands in line or has ended."""
        if not self.places.enter(self._stand_in_line):
            return False
        if self._head.gated:
            self._head = self._s.runs.begin(self._head.run_id, self._owner, self._s.clock.now_ms())
        if self._head.ending is None:
            self._head = timeouts.expect_finish(self._s, self._head)
            return True
        settle.settle(self._s, self._head.run_id)
        return False

    def _stand_in_line(self) -> bool:
        """Give the lease back; False when there is news, which has then been read."""
        is_paused = self.places.are_paused
        safety_ms = PAUSED_SAFETY_MS if is_paused else IN_LINE_SAFETY_MS
        wake = no_later(self._head, self._s.clock.now_ms() + safety_ms)
        keep_all(self._s, self._run, wake)
        head = self._s.runs.park(
            self._head.run_id,
            self._owner,
            version=self._version,
            wake_at_ms=wake,
            gate=self._has_only_been_leased(),
        )
        if head is None:
            what = "waits for its function to be resumed" if is_paused else "stands in line for a place"
            logger.info(what, extra={"run_id": self._head.run_id})
            return True
        if head.ending is not None:
            settle.settle(self._s, head.run_id)
            self.places.leave()
            return True
        self._read_news(head)
        return False

    def _has_only_been_leased(self) -> bool:
        """Whether nothing but the first lease has marked the run as begun: nobody has given one back, or died with it,
        and nothing was done under this one."""
        head = self._head
        is_first = head.starts == 1 and head.wake_at_ms is None and not head.is_timed
        return is_first and self._calls == 0 and not self._run.steps

    def _read_news(self, head: RunHead) -> None:
        self._version, self._news_at_ms = head.version, max(self._news_at_ms, head.news_at_ms)
        self._run = self._load()

    def _over_limits(self) -> bool:
        error = over_limits(self._run)
        if error is not None:
            self._end(RunStatus.FAILED, error=error)
        return error is not None

    def _has_ended(self) -> bool:
        """No step begins of a run that has ended (cancelled between two steps), or whose time is up."""
        head = self._s.runs.head(self._head.run_id)
        if head is None:
            raise LeaseLost("the run was deleted")
        head = timeouts.end_if_passed(self._s, head) or head
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

    def _suspend(self) -> bool:
        """Give the lease back; False when there is news, which has then been read, and a place to go on."""
        wake = wake_at_ms(self._run.steps, self._now_ms())
        wake = wake if wake is None else no_later(self._head, wake)
        keep_all(self._s, self._run, wake)
        # Before the lease: until then whoever wakes this run is heard.
        self.places.give_back()
        run_id, is_timed = self._head.run_id, self._head.is_timed
        head = self._s.runs.release(run_id, self._owner, version=self._version, wake_at_ms=wake, is_timed=is_timed)
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
        run_id, is_timed, now = self._head.run_id, self._head.is_timed, self._s.clock.now_ms()
        head = self._s.runs.release(run_id, self._owner, version=None, wake_at_ms=now, is_timed=is_timed)
        if head is not None and head.ending is not None:
            settle.settle(self._s, head.run_id)
            return
        logger.info("handed over to the queue", extra={"run_id": self._head.run_id})
        self._s.queues.send_work(TurnMessage(run_id=self._head.run_id, hop=self._message.hop + 1))
