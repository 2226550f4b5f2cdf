"""Invariants of flow control: limits hold, whatever happened."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chalicelib.core.durations import parse_duration
from chalicelib.core.runs import Run
from tests.faults.storms.monitor import Lived
from tests.faults.storms.seen import SKEW_MS, Seen

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
        granted = _granted(seen, fn_id)
        for first, last in zip(granted, granted[rate.limit :], strict=False):
            if _too_close(first, last, parse_duration(rate.period)):
                found.append(f"{fn_id} started {rate.limit + 1} times within {last.until_ms - first.from_ms} ms")
    return found


@dataclass(frozen=True, order=True)
class _Grant:
    """When a start was granted: a delivery that died may have been granted it that another one recorded."""

    from_ms: int
    until_ms: int
    run_id: str


def _granted(seen: Seen, fn_id: str) -> list[_Grant]:
    """All starts of a function; one that a throttle put off was granted the time at which it may begin."""
    found = []
    for record in seen.records.values():
        for start in record.starts:
            if start.fn_id == fn_id and start.is_live:
                run = seen.runs.get(start.run_id)
                created_ms = record.processed_at_ms if run is None else run.head.seed.created_at_ms
                times = (record.event.received_at_ms, created_ms)
                if start.not_before_ms is not None:
                    times = (start.not_before_ms, start.not_before_ms)
                found.append(_Grant(*times, start.run_id))
    return sorted(found)


def _too_close(first: _Grant, last: _Grant, period_ms: int) -> bool:
    return last.until_ms - first.from_ms < period_ms - SKEW_MS


def throttles_hold(seen: Seen) -> list[str]:
    """Starts of a throttled function are spaced, and none begins before its time."""
    found = []
    for fn_id, config in seen.configs.items():
        throttle = None if config.flow is None else config.flow.throttle
        if throttle is None or throttle.key is not None or throttle.burst > 1:
            continue
        granted = _granted(seen, fn_id)
        for first, last in itertools.pairwise(granted):
            if _too_close(first, last, parse_duration(throttle.period) // throttle.limit):
                found.append(f"{fn_id} may begin twice within {last.until_ms - first.from_ms} ms")
        for grant in granted:
            run, life = seen.runs.get(grant.run_id), seen.world.storm_watch.lives.get(grant.run_id)
            not_before = None if run is None else run.head.seed.not_before_ms
            if not_before is not None and life and life.begun and life.begun[1] + SKEW_MS < not_before:
                found.append(f"{fn_id} began {not_before - life.begun[1]} ms before its time")
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
    grants: dict[str, list[_Grant]] = defaultdict(list)
    for grant in _granted(seen, "keyed"):
        event = seen.runs[grant.run_id].event if grant.run_id in seen.runs else None
        grants[str(event and event.data.get("key"))].append(grant)
    return [
        f"key {key} started twice within {last.until_ms - first.from_ms} ms"
        for key, of_key in grants.items()
        for first, last in itertools.pairwise(of_key)
        if _too_close(first, last, _DAY_MS)
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
