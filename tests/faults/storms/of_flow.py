"""Invariants of flow control: limits hold, whatever happened."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence

from chalicelib.core.durations import parse_duration
from chalicelib.core.runs import Run
from tests.faults.storms.monitor import Lived
from tests.faults.storms.seen import SKEW_MS, Seen

# A start's time in its record is from before it was granted.
_GRANTED_WITHIN_MS = 60_000
_DAY_MS = 86_400_000


def no_more_run_side_by_side_than_may(seen: Seen) -> list[str]:
    """Never do more steps run at once than their limits of concurrency say, but for those of processes whose time was
    over."""
    return seen.world.monitor.violations


def rates_hold(seen: Seen) -> list[str]:
    """In no period does a function start oftener than its rate limit says."""
    found = []
    for fn_id, config in seen.configs.items():
        rate = None if config.flow is None else config.flow.rate_limit
        if rate is None or rate.key is not None:
            continue
        times = _started(seen, fn_id)
        for first, last in zip(times, times[rate.limit :], strict=False):
            if last - first < parse_duration(rate.period) - _GRANTED_WITHIN_MS:
                found.append(f"{fn_id} started {rate.limit + 1} times within {last - first} ms")
    return found


def _started(seen: Seen, fn_id: str) -> list[int]:
    return sorted(
        record.processed_at_ms
        for record in seen.records.values()
        for start in record.starts
        if start.fn_id == fn_id and start.is_live
    )


def throttles_hold(seen: Seen) -> list[str]:
    """Starts of a throttled function are spaced, and none begins before its time."""
    found = []
    for fn_id, config in seen.configs.items():
        throttle = None if config.flow is None else config.flow.throttle
        if throttle is None or throttle.key is not None or throttle.burst > 1:
            continue
        slots = []
        for record in seen.records.values():
            for start in record.starts:
                if start.fn_id == fn_id and start.is_live:
                    slots.append(start.not_before_ms or record.processed_at_ms)
                    life = seen.world.storm_watch.lives.get(start.run_id)
                    if life is not None and life.begun is not None and life.begun[1] + SKEW_MS < slots[-1]:
                        found.append(f"{fn_id} began {slots[-1] - life.begun[1]} ms before its time")
        interval = parse_duration(throttle.period) // throttle.limit
        for first, last in itertools.pairwise(sorted(slots)):
            if last - first < interval - _GRANTED_WITHIN_MS:
                found.append(f"{fn_id} has starts {last - first} ms apart, not {interval}")
    return found


def singletons_are_single(seen: Seen) -> list[str]:
    """Of a singleton's runs of one key none begins before the one before it has ended."""
    groups: dict[tuple[str, str, str], list[Lived]] = defaultdict(list)
    for run_id, run in seen.runs.items():
        hold = run.head.seed.hold
        if hold is not None:
            groups[run.head.seed.fn_id, hold.mode, hold.digest].append(seen.world.storm_watch.lives[run_id])
    found = []
    for (fn_id, mode, _), lives in groups.items():
        spans = sorted(filter(None, (_span(life, mode) for life in lives)))
        for (_, ended), (began, _) in itertools.pairwise(spans):
            if began < ended:
                found.append(f"two runs of the singleton {fn_id} ({mode}) at once: {spans}")
    return found


def _span(life: Lived, mode: str) -> tuple[int, int] | None:
    since = life.created if mode == "skip" else life.begun
    return None if since is None or life.ended is None else (since[0], life.ended[0])


def idempotency_keys_start_once(seen: Seen) -> list[str]:
    """Of the events of one idempotency key, one starts the function within a day."""
    times: dict[str, list[int]] = defaultdict(list)
    for record in seen.records.values():
        for start in record.starts:
            if start.fn_id == "keyed" and start.is_live:
                times[str(record.event.data.get("key"))].append(record.processed_at_ms)
    return [
        f"key {key} started twice within {last - first} ms"
        for key, at in times.items()
        for first, last in itertools.pairwise(sorted(at))
        if last - first < _DAY_MS - _GRANTED_WITHIN_MS
    ]


def timeouts_are_kept(seen: Seen) -> list[str]:
    """A run that may take so long at most is not found completed long after that."""
    found = []
    for run in seen.runs.values():
        within = run.head.seed.finish_within_ms
        if within is None or run.head.begun_at_ms is None or run.head.ending is None:
            continue
        late_ms = run.head.ending.ended_at_ms - run.head.begun_at_ms - within
        if late_ms > SKEW_MS and _completed(run):
            found.append(f"{run.head.seed.fn_id} was completed {late_ms} ms after its time")
    return found


def _completed(run: Run) -> bool:
    return run.head.status.value == "Completed"


INVARIANTS: Sequence[Callable[[Seen], list[str]]] = (
    no_more_run_side_by_side_than_may,
    rates_hold,
    throttles_hold,
    singletons_are_single,
    idempotency_keys_start_once,
    timeouts_are_kept,
)
