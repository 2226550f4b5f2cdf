"""A run's lease: taken by the turn that drives it, one at a time (DESIGN, "Lease" and "News")."""

from __future__ import annotations

from chalicelib.core import limits
from chalicelib.core.errors import Deferred, InfrastructureError, LeaseLost
from chalicelib.core.messages import TurnMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.runs import LeaseResult, Owner, RunHead
from chalicelib.engine import concurrency, settle, timeouts, timing
from chalicelib.engine.services import Delivery, Services, logger


def give_back(s: Services, run_id: str, owner: Owner) -> None:
    """After a fault: give the lease back if that is possible, so that the message can be tried again soon."""
    try:
        s.runs.release(run_id, owner, version=None, wake_at_ms=s.clock.now_ms())
    except (InfrastructureError, LeaseLost):
        logger.info("the lease could not be given back")


def until_ms(delivery: Delivery) -> int:
    """When a lease ends that is taken in this delivery, and everything that is held under it."""
    return delivery.deadline_ms + limits.CLOCK_SKEW_MS


def take(s: Services, message: TurnMessage, owner: Owner, delivery: Delivery) -> RunHead | None:
    """The run's head, leased; None when there is nothing to do for this message. Raises Deferred."""
    run_id = message.run_id
    while True:
        now = s.clock.now_ms()
        result, head = s.runs.take_lease(run_id, owner, until_ms=until_ms(delivery), now_ms=now)
        match result:
            case LeaseResult.TAKEN | LeaseResult.LATE:
                assert head is not None
                # One that has timed out is met once more, as one that has ended.
                if timeouts.end_if_passed(s, head) is None and result is LeaseResult.TAKEN:
                    if head.starts > 1:
                        s.metrics.count(Metric.LEASE_TAKEOVERS)
                    return head
            case LeaseResult.MISSING:
                logger.warning("a turn for a run that is not there", extra={"run_id": run_id})
                concurrency.pass_by(s, None, message)
                return None
            case LeaseResult.ENDED:
                assert head is not None
                if not head.settled:
                    settle.settle(s, run_id)
                concurrency.pass_by(s, head.seed, message)
                return None
            case LeaseResult.EARLY if head is not None:
                # A poke, or a message that lost its time on the way.
                timing.schedule(s, TurnMessage(run_id=run_id, due_ms=head.seed.not_before_ms))
                return None
            case LeaseResult.OWN_MESSAGE:
                # A second delivery of the only copy: it stays until the first one's lease has run out.
                assert head is not None
                remaining_s = max(1, (head.lease_until_ms - now) // 1000 + 1)
                raise Deferred("this message's own turn may still be running", visible_in_s=remaining_s)
            case LeaseResult.OTHER:
                if s.runs.poke(run_id, now):
                    return None
