"""`make bench-flow`: what flow control costs, and how soon many runs drain through a limit.

On ministack: write units are right; of times those of its own calls are the most, so that what is printed is an upper
bound. `--runs 10000` for a long one.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chalicelib.engine import ingest
from chalicelib.sdk import Concurrency, Context, Function, TriggerEvent, function
from infra.local import cloud
from infra.local.cloud import Cloud
from tests.bench import scenario
from tests.bench.scenario import EVENT, FN_ID, Bench

LIMIT = 10
# More than there are places, as many more as a deployment would have.
WORKERS = 16


def _say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _limited(concurrency: Sequence[Concurrency] | None) -> Function[Any]:
    @function(fn_id=FN_ID, trigger=TriggerEvent(event=EVENT), concurrency=concurrency)
    def one_step(ctx: Context) -> str:
        return ctx.step.run("a-step", lambda: "done")

    return one_step


def _cost(aws: Cloud, concurrency: Sequence[Concurrency] | None) -> tuple[float, int, int]:
    """Write units, calls to DynamoDB and messages of one run that finds its places free."""
    bench = scenario.start_with(aws, _limited(concurrency))
    bench.run_once()
    bench.meter.reset()
    bench.run_once()
    sent = bench.meter.requests("sqs")
    return bench.meter.total_writes(), len(bench.meter.log) - sent, sent


class _Drain:
    """Runs that drain through a limit; each worker is a process of its own as far as the platform knows."""

    def __init__(self, aws: Cloud, runs: int, work_s: float) -> None:
        self.runs, self.work_s = runs, work_s
        self.now_in = self.most = self.done = 0
        self._lock = threading.Lock()
        self._function = self._made()
        self.benches = [scenario.start_with(aws, self._function) for _ in range(WORKERS)]

    def _made(self) -> Function[Any]:
        @function(fn_id=FN_ID, trigger=TriggerEvent(event=EVENT), concurrency=LIMIT)
        def drained(ctx: Context) -> None:
            ctx.step.run("work", self._work)

        return drained

    def _work(self) -> None:
        with self._lock:
            self.now_in += 1
            self.most = max(self.most, self.now_in)
        time.sleep(self.work_s)
        with self._lock:
            self.now_in -= 1
            self.done += 1

    def fill(self) -> None:
        """All runs are there, and none has begun."""
        platform = self.benches[0].platform
        for start in range(0, self.runs, 100):
            raw = [{"name": EVENT, "data": {"n": number}} for number in range(start, min(start + 100, self.runs))]
            ingest.accept(platform.services, platform.reception, raw)
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda bench: [None for _ in iter(bench.pump.deliver_event, False)], self.benches))
        for bench in self.benches:
            bench.meter.reset()

    def drain(self) -> float:
        """Seconds until the last step has ended."""
        began = time.perf_counter()
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(self._until_done, self.benches))
        return time.perf_counter() - began

    def _until_done(self, bench: Bench) -> None:
        while self.done < self.runs:
            if not bench.pump.deliver_work():
                time.sleep(0.02)


def _print_costs(aws: Cloud) -> None:
    kinds: list[tuple[str, Sequence[Concurrency] | None]] = [
        ("nothing configured", None),
        ("a limit", [Concurrency(limit=LIMIT)]),
        ("a limit with a key", [Concurrency(limit=LIMIT, key="event.data.d")]),
        ("two limits", [Concurrency(limit=LIMIT), Concurrency(limit=1, key="event.data.d")]),
    ]
    _say(f"{'a run of one step, places free':<34}{'write units':>12}{'DynamoDB calls':>16}{'messages':>10}")
    for name, concurrency in kinds:
        writes, calls, sent = _cost(aws, concurrency)
        _say(f"{name:<34}{writes:>12.0f}{calls:>16}{sent:>10}")


def _print_drain(aws: Cloud, runs: int, work_ms: int) -> None:
    drain = _Drain(aws, runs, work_ms / 1000)
    drain.fill()
    took_s = drain.drain()
    writes = sum(bench.meter.total_writes() for bench in drain.benches)
    calls = sum(len(bench.meter.log) for bench in drain.benches)
    # A worker can do no more than it can.
    ideal_s = runs * work_ms / 1000 / LIMIT
    _say()
    _say(f"{runs:,} runs of a step of {work_ms} ms through a limit of {LIMIT}, {WORKERS} workers")
    _say(f"  drained in {took_s:.1f} s; ideal {ideal_s:.1f} s ({took_s / ideal_s:.2f} times)")
    _say(f"  at once at most {drain.most}")
    _say(f"  a run, without its event: {writes / runs:.1f} write units, {calls / runs:.1f} calls to AWS")


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.bench.flow", description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--work-ms", type=int, default=500, help="how long each run's step takes")
    given: Any = parser.parse_args()
    with cloud.start() as aws:
        _print_costs(aws)
        _print_drain(aws, given.runs, given.work_ms)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
