"""How soon many runs drain through a limit, and what that asks of AWS: in memory, each call of a given length."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from chalicelib.engine import ingest
from chalicelib.sdk import Context, Function, TriggerEvent, function
from tests.bench import scenario
from tests.bench.scenario import EVENT, FN_ID, Bench

# Who has no place stands in line meanwhile.
WORKERS_BESIDE = 6
_SENT_AT_ONCE, _RECEIVED_AT_ONCE = 100, 10
_PAUSE_S = 0.02


@dataclass(frozen=True)
class Drained:
    """What was seen; times in seconds. `quarters` are the times in which one quarter of the runs after the other ended
    their steps."""

    runs: int
    limit: int
    workers: int
    work_s: float
    took_s: float
    quarters: tuple[float, ...]
    most_at_once: int
    executions: int
    delivered: int
    left: int
    sent: int
    calls: int
    call_s: float

    @property
    def ideal_s(self) -> float:
        """With each place taken all the time."""
        return self.runs * self.work_s / self.limit

    @property
    def run_s(self) -> float:
        """From one run's end to the next one's."""
        return self.took_s / self.runs

    @property
    def empty_s(self) -> float:
        """How long a place is empty between two runs, on the average."""
        return self.run_s * self.limit - self.work_s


class Drain:
    """Runs that drain through a limit; each worker is a process of its own as far as the platform knows."""

    def __init__(self, runs: int, limit: int, work_s: float, call_s: float) -> None:
        self._runs, self._limit, self._work_s = runs, limit, work_s
        self._now_in = self._most = 0
        self._ended: list[float] = []
        self._done: set[str] = set()
        self._lock = threading.Lock()
        made = self._function()
        self._benches = [scenario.start_in_memory(call_s, made) for _ in range(limit + WORKERS_BESIDE)]

    def _function(self) -> Function[Any]:
        @function(fn_id=FN_ID, trigger=TriggerEvent(event=EVENT), concurrency=self._limit)
        def drained(ctx: Context) -> None:
            ctx.step.run("work", self._work, ctx.run_id)

        return drained

    def _work(self, run_id: str) -> None:
        with self._lock:
            self._now_in += 1
            self._most = max(self._most, self._now_in)
        time.sleep(self._work_s)
        with self._lock:
            self._now_in -= 1
            self._ended.append(time.perf_counter())
            self._done.add(run_id)

    def fill(self) -> None:
        """All runs are there, and none has begun."""
        platform = self._benches[0].platform
        for start in range(0, self._runs, _SENT_AT_ONCE):
            numbers = range(start, min(start + _SENT_AT_ONCE, self._runs))
            raw = [{"name": EVENT, "data": {"n": number}} for number in numbers]
            ingest.accept(platform.services, platform.reception, raw)
        with ThreadPoolExecutor(len(self._benches)) as pool:
            list(pool.map(lambda bench: [None for _ in iter(bench.pump.deliver_event, False)], self._benches))
        for bench in self._benches:
            bench.meter.reset()
            bench.pump.deliveries = 0

    def drain(self) -> Drained:
        """Deliver until the last step has ended, then what is left. The events of the runs' ends are not delivered:
        another function of Lambda would do that."""
        began = time.perf_counter()
        self._deliver_until_done()
        delivered = sum(bench.pump.deliveries for bench in self._benches)
        while self._benches[0].pump.deliver_work():
            pass
        left = sum(bench.pump.deliveries for bench in self._benches) - delivered
        marks = [began, *(self._ended[self._runs * quarter // 4 - 1] for quarter in (1, 2, 3, 4))]
        meters = [bench.meter for bench in self._benches]
        calls = sum(len(meter.log) for meter in meters)
        return Drained(
            runs=self._runs,
            limit=self._limit,
            workers=len(self._benches),
            work_s=self._work_s,
            took_s=self._ended[self._runs - 1] - began,
            quarters=tuple(after - before for before, after in itertools.pairwise(marks)),
            most_at_once=self._most,
            executions=len(self._ended),
            delivered=delivered + left,
            left=left,
            sent=sum(meter.requests("sqs SendMessage work") for meter in meters),
            calls=calls,
            call_s=sum(meter.waited_s for meter in meters) / calls,
        )

    def _deliver_until_done(self) -> None:
        """One receives for all workers, as Lambda's mapping does."""
        idle: SimpleQueue[Bench] = SimpleQueue()
        for bench in self._benches:
            idle.put(bench)

        def deliver(bench: Bench, record: dict[str, Any]) -> None:
            bench.pump.deliver("work", [record])
            idle.put(bench)

        receiver = self._benches[0].pump
        with ThreadPoolExecutor(len(self._benches)) as pool:
            while len(self._done) < self._runs:
                records = receiver.hold("work", min(_RECEIVED_AT_ONCE, idle.qsize())) if idle.qsize() else []
                if not records:
                    time.sleep(_PAUSE_S)
                for record in records:
                    pool.submit(deliver, idle.get(), record)
