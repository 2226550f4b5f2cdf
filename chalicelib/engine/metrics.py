"""Counts are kept in memory and told once, when the invocation ends: at most once, for what is counted where a
conditional write was won. A process that dies takes with it what it has not told (docs/METRICS.md)."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass

from chalicelib.core.errors import InfrastructureError
from chalicelib.core.metrics import Metric
from chalicelib.core.steps import StepRecord, StepStatus
from chalicelib.engine.ports import QueueName
from chalicelib.engine.services import Services, logger

# CloudWatch takes 100 values of a metric in one line of the log.
_MOST_VALUES = 99


@dataclass(frozen=True)
class Counts:
    """Sums of what was counted, and the values of what was measured."""

    sums: dict[Metric, int]
    values: dict[Metric, list[float]]

    def __bool__(self) -> bool:
        return bool(self.sums or self.values)


class Collected:
    """Implements engine.ports.Metrics. Steps run in threads, so it may be used from any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: Counter[Metric] = Counter()
        self._values: dict[Metric, deque[float]] = {}

    def count(self, metric: Metric, n: int = 1) -> None:
        if n:
            with self._lock:
                self._sums[metric] += n

    def observe(self, metric: Metric, value: float) -> None:
        with self._lock:
            self._values.setdefault(metric, deque(maxlen=_MOST_VALUES)).append(value)

    def so_far(self) -> Counts:
        """What was counted since the last `take`; of each measure the latest values."""
        with self._lock:
            return self._now()

    def take(self) -> Counts:
        """What was counted, which is then forgotten."""
        with self._lock:
            counts = self._now()
            self._sums, self._values = Counter(), {}
            return counts

    def _now(self) -> Counts:
        return Counts(dict(self._sums), {metric: list(values) for metric, values in self._values.items()})


def step_ended(s: Services, stored: StepRecord, *, is_ours: bool) -> None:
    """A step's end was recorded, by us or by somebody before us."""
    if not is_ours:
        s.metrics.count(Metric.LATE_RESULTS)
    elif stored.status is StepStatus.COMPLETED:
        s.metrics.count(Metric.STEPS)
    else:
        s.metrics.count(Metric.STEPS_FAILED)


def attempt_failed(s: Services, *, is_ours: bool) -> None:
    """An attempt that failed and will be repeated was recorded, by us or by somebody before us."""
    s.metrics.count(Metric.RETRIES if is_ours else Metric.LATE_RESULTS)


def measure_backlog(s: Services) -> None:
    """What lies in the queues. An empty queue says nothing, so that a stage at rest costs nothing."""
    try:
        depths = {name: s.queues.depth(name) for name in QueueName}
    except InfrastructureError as error:
        logger.warning("the backlog could not be measured", extra={"error": str(error)})
        return
    events, work = depths[QueueName.EVENTS], depths[QueueName.WORK]
    # Whoever looks at a dead letter has it in flight for a while.
    dead = [depths[queue] for queue in (QueueName.DEAD_EVENTS, QueueName.DEAD_WORK)]
    measured = {
        Metric.EVENTS_VISIBLE: events.visible,
        Metric.EVENTS_IN_FLIGHT: events.in_flight,
        Metric.WORK_VISIBLE: work.visible,
        Metric.WORK_IN_FLIGHT: work.in_flight,
        Metric.WORK_DELAYED: work.delayed,
        Metric.DEAD_LETTERS: sum(depth.visible + depth.in_flight for depth in dead),
    }
    for metric, value in measured.items():
        if value:
            s.metrics.observe(metric, value)
