"""A singleton: of a function, and each value of its key, one run at a time."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from chalicelib.core import limits
from chalicelib.core.records import EventRecord
from chalicelib.core.runs import RunHead, RunSeed

# No invocation is longer: who claimed before that does not go on, and its message comes again, or never.
_LONGEST_INVOCATION_MS = 15 * limits.MINUTE_MS
_CLAIM_KEPT_MS = _LONGEST_INVOCATION_MS + limits.CLOCK_SKEW_MS
_CLAIM_RENEWED_MS = limits.MINUTE_MS
# A run that was decided on and is not there: its message comes again soon, or lies among the dead letters.
_CREATED_WITHIN_MS = limits.HOUR_MS
_LATE_MS = limits.HOUR_MS // 2


class Holder(BaseModel):
    """Which run holds the place, or is about to be created and does then, because of which event, and since when."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    event_id: str
    since_ms: int


def take(held: Holder | None, me: Holder) -> Holder:
    """The holder as it is afterwards: the one there is; else `me`. A claim of the same run is renewed now and then, so
    that nobody takes it for that of a process that is dead."""
    if held is None:
        return me
    renews = held.run_id == me.run_id and held.since_ms + _CLAIM_RENEWED_MS < me.since_ms
    return me if renews else held


def is_over(holder: Holder, head: RunHead | None, record: EventRecord | None, now_ms: int) -> bool:
    """Whether the holder has ended without giving the place back, or will never be. `head` and `record`: its run and
    its event, as far as there are any."""
    if head is not None:
        return head.ending is not None
    if record is None:
        # The process that claimed is about to write the record; if it died, its message comes again and claims again.
        return holder.since_ms + _CLAIM_KEPT_MS < now_ms
    # Another delivery of the event may have decided otherwise, and have been first.
    is_planned = any(start.is_live and start.run_id == holder.run_id for start in record.starts)
    return not is_planned or record.processed_at_ms + _CREATED_WITHIN_MS < now_ms


def is_late(seed: RunSeed) -> bool:
    """Whether the run was created so late that its claim may have been taken for that of one that is never created."""
    return seed.trigger_received_at_us // 1_000 + _LATE_MS < seed.created_at_ms


def is_later(one: RunSeed, other: RunSeed) -> bool:
    """Whether one's event was accepted after the other's."""
    return (one.trigger_received_at_us, one.run_id) > (other.trigger_received_at_us, other.run_id)
