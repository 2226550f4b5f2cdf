"""A singleton's place is taken over before a run's first turn: until then whoever holds it has been cancelled.

A run of the mode `cancel` takes its place once it exists, so that who holds a place can always be cancelled; of two
that want it at once the one whose event was accepted later stays. Runs of the mode `skip` have claimed theirs before.
"""

from __future__ import annotations

from chalicelib.core import singletons
from chalicelib.core.calls import ErrorInfo
from chalicelib.core.errors import TransactionConflict
from chalicelib.core.records import Effect, EffectKind
from chalicelib.core.runs import Ending, RunHead, RunStatus
from chalicelib.core.singletons import Holder
from chalicelib.core.steps import Cause, CauseKind
from chalicelib.engine import holders, settle
from chalicelib.engine.services import Services, logger

_MOST_RACES = 40


def take_over(s: Services, head: RunHead) -> bool:
    """Whether the run may set off: it holds its function's place, if there is one. Else it has been cancelled.

    Each part may be repeated: the holder is cancelled, settled (which frees the place), then the place is taken.
    """
    seed, hold = head.seed, head.seed.hold
    if hold is None or (hold.mode == "skip" and not singletons.is_late(seed)):
        return True
    key = holders.cell_of(seed.fn_id, hold)
    for _ in range(_MOST_RACES):
        me = Holder(run_id=seed.run_id, event_id=seed.event_id, since_ms=s.clock.now_ms())
        holder = holders.take(s, key, me)
        if holder is None:
            return True
        other = s.runs.head(holder.run_id)
        if other is not None and other.ending is None:
            if hold.mode == "skip" or singletons.is_later(other.seed, seed):
                _give_way(s, head, other)
                return False
            if _has_ended(s, head):
                return False
            _cancel(s, other, head)
        settle.settle(s, holder.run_id)
        holders.give_back(s, key, holder.run_id)
    raise TransactionConflict(f"too many runs of {seed.fn_id} take over from each other at once")


def _has_ended(s: Services, head: RunHead) -> bool:
    """It may have been cancelled meanwhile: nobody has to go for it."""
    now = s.runs.head(head.run_id)
    return now is None or now.ending is not None


def _ending(s: Services, by: RunHead, message: str) -> Ending:
    return Ending(
        status=RunStatus.CANCELLED,
        ended_at_ms=s.clock.now_ms(),
        error=ErrorInfo(name="FunctionCancelled", message=message),
        cause=Cause(kind=CauseKind.SINGLETON, id=by.run_id, name=by.seed.fn_id),
    )


def _cancel(s: Services, other: RunHead, by: RunHead) -> None:
    ending = _ending(s, by, "cancelled by a later run: the function is a singleton")
    effect = Effect(event_id=by.seed.event_id, kind=EffectKind.CANCELLED, run_id=other.run_id, at_ms=ending.ended_at_ms)
    s.runs.cancel_by(effect, ending)
    logger.info(
        "cancelled by a later run",
        extra={"run_id": other.run_id, "function_id": other.seed.fn_id, "event_id": by.seed.event_id},
    )


def _give_way(s: Services, head: RunHead, other: RunHead) -> None:
    ending = _ending(s, other, "cancelled before it began: another run holds the place of this singleton")
    s.runs.end(head.run_id, ending, owner=None)
    settle.settle(s, head.run_id)
