"""What is waiting, stage by stage, and what all runs and waits are doing. What cannot be counted for a small price is
estimated from a sample, and says so."""

from __future__ import annotations

from collections import Counter
from typing import Any

from chalicelib.core import limits, timers
from chalicelib.core.errors import InfrastructureError
from chalicelib.core.pauses import PauseKind, is_first_row
from chalicelib.core.runs import RunHead, RunStatus
from chalicelib.core.sampling import Scale
from chalicelib.engine.collect import OPEN_SHARDS
from chalicelib.engine.operator_ports import Ages, Looking, RunSample
from chalicelib.engine.ports import QueueDepth, QueueName
from chalicelib.engine.services import Services, logger

# What a call may cost: read units of 4 KB, half of one each where consistency is not asked for.
_SAMPLE_PAGES = 4  # of 1 MB: 128 units each, for runs and for waits
_OPEN_PER_SHARD = 100  # 800 heads: 1 unit each
_TIMERS_PER_SHARD = 250
DUE_SOON_MS = limits.HOUR_MS
_MOST_NAMES = 50
_ONE_DELIVERY = (
    "recording an event, matching it with waits and cancellations and starting its runs are one delivery: the stages "
    "wait_matching and cancel_matching both count the events in flight"
)
_NO_AGES = "CloudWatch knows no age of a queue that was idle, nor does the local cloud: null there"
_NOT_REACHED = "CloudWatch could not be asked for ages"


def backlog(s: Services, looking: Looking, ages: Ages) -> dict[str, Any]:
    """Bounded in what it reads; nothing is written."""
    depths = {queue: s.queues.depth(queue) for queue in QueueName}
    now = s.clock.now_ms()
    oldest, note = _oldest(ages, now)
    runs, oldest_start_ms = _runs(s, looking.sample_runs(_SAMPLE_PAGES))
    stages = _queue_stages(depths, oldest)
    age_s = None if oldest_start_ms is None else max(0, now - oldest_start_ms) // 1000
    queued = runs["by_status"][RunStatus.QUEUED.value]
    stages.insert(3, _stage("starts", "runs created that have not begun", queued, age_s))
    stages.append(_stage("timers", "sleeps and time-outs due within an hour", _timers_due(s)))
    return {"stages": stages, "runs": runs, "waits": _waits(looking), "notes": [_ONE_DELIVERY, note]}


def _figure(count: int, *, approximate: bool) -> dict[str, Any]:
    return {"count": count, "approximate": approximate}


def _stage(name: str, about: str, figure: dict[str, Any], oldest_age_s: int | None = None) -> dict[str, Any]:
    return {"stage": name, "about": about, **figure, "oldest_age_s": oldest_age_s}


def _oldest(ages: Ages, now_ms: int) -> tuple[dict[QueueName, int], str]:
    try:
        return ages.oldest_s(now_ms), _NO_AGES
    except InfrastructureError as error:
        logger.warning("the queues' ages could not be read", extra={"error": str(error)})
        return {}, _NOT_REACHED


def _queue_stages(depths: dict[QueueName, QueueDepth], oldest: dict[QueueName, int]) -> list[dict[str, Any]]:
    events, work = depths[QueueName.EVENTS], depths[QueueName.WORK]
    told = [
        ("events", "events accepted and not yet read", events.visible + events.delayed, QueueName.EVENTS),
        ("wait_matching", "events being matched with waits", events.in_flight, None),
        ("cancel_matching", "events being matched with cancellations", events.in_flight, None),
        ("work", "turns and steps that nobody has taken yet", work.visible, QueueName.WORK),
        ("work_delayed", "turns and steps due within 15 minutes", work.delayed, None),
        ("work_in_flight", "turns and steps being done", work.in_flight, None),
    ]
    for source, dead in ((QueueName.EVENTS, QueueName.DEAD_EVENTS), (QueueName.WORK, QueueName.DEAD_WORK)):
        count = depths[dead].visible + depths[dead].in_flight
        told.append(
            (f"dead_{source.value}", f"messages of the {source.value} queue that nobody could handle", count, dead)
        )
    return [
        _stage(name, about, _figure(count, approximate=True), None if queue is None else oldest.get(queue))
        for name, about, count, queue in told
    ]


def _timers_due(s: Services) -> dict[str, Any]:
    now = s.clock.now_ms()
    count, is_all = 0, True
    for bucket in range(timers.first_bucket(None, now), timers.bucket_of(now + DUE_SOON_MS) + 1):
        for shard in range(timers.SHARDS):
            found = s.timers.in_bucket(bucket, shard, now + DUE_SOON_MS, _TIMERS_PER_SHARD)
            count += len(found)
            is_all = is_all and len(found) < _TIMERS_PER_SHARD
    return _figure(count, approximate=not is_all)


def _runs(s: Services, sample: RunSample) -> tuple[dict[str, Any], int | None]:
    """What runs are doing, and when the oldest that has not begun was created."""
    oldest_ms = sample.oldest_queued_ms
    scale = Scale(sample.looked_at, sample.total, sample.is_complete)
    by_status = {
        status.value: _figure(scale.of(sample.by_status.get(status, 0)), approximate=not scale.is_complete)
        for status in RunStatus
    }
    stalled = _figure(scale.of(sample.stalled), approximate=not scale.is_complete)
    if not scale.is_complete and (open_heads := _open_heads(s)) is not None:
        # Few of many runs are open: they can be counted one by one.
        counts = Counter(head.status for head in open_heads)
        for status in (RunStatus.QUEUED, RunStatus.RUNNING):
            by_status[status.value] = _figure(counts[status], approximate=False)
        is_stalled = [head for head in open_heads if head.stalled is not None and head.ending is None]
        stalled = _figure(len(is_stalled), approximate=False)
        queued = [head.seed.created_at_ms for head in open_heads if head.status is RunStatus.QUEUED]
        oldest_ms = min(queued, default=None)
    return {"by_status": by_status, "stalled": stalled, "sample": _sample(scale)}, oldest_ms


def _open_heads(s: Services) -> list[RunHead] | None:
    """The runs that have not ended; None when there are too many to count."""
    ids: list[str] = []
    for shard in range(OPEN_SHARDS):
        found, after = s.runs.open_page(shard, None, _OPEN_PER_SHARD)
        if after is not None:
            return None
        ids += found
    return s.runs.heads(ids)


def _waits(looking: Looking) -> dict[str, Any]:
    sample = looking.sample_pauses(_SAMPLE_PAGES)
    scale = Scale(sample.looked_at, sample.total, sample.is_complete)
    counts = Counter((row.event_name, row.kind) for row in sample.rows if is_first_row(row.key))
    by_name = Counter(row.event_name for row in sample.rows if is_first_row(row.key))
    rows = [
        {
            "event": name,
            "waits": scale.of(counts[name, PauseKind.WAIT]),
            "cancellations": scale.of(counts[name, PauseKind.CANCEL]),
            "approximate": not scale.is_complete,
        }
        for name, _ in by_name.most_common(_MOST_NAMES)
    ]
    return {"by_event": rows, "sample": _sample(scale)}


def _sample(scale: Scale) -> dict[str, Any]:
    return {"looked_at": scale.looked_at, "of": max(scale.total, scale.looked_at), "is_complete": scale.is_complete}
