"""`make bench-sdk`: what an app on the Python SDK (FastAPI, `async def`) sees of `make dev`. Nothing is asserted."""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.sdk.harness import apps, server
from tests.sdk.harness.apps import App, Kind
from tests.sdk.harness.server import Server
from tests.sdk.harness.story import Run, Story

BENCH = Kind("bench", (sys.executable, "-m", "tests.bench.sdk_app"))
# The peer's development server with the same kind of app, on two cores of another machine: quoted, not measured here.
PEER = {"start": "248 … 292", "step": "15 … 150", "resume": "200 … 250"}


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Times:
    """Milliseconds."""

    start: list[float]
    step: list[float]
    resume: list[float]


@dataclass(frozen=True)
class Burst:
    """So many runs at once: how many ended per second, and milliseconds of CPU per run by who used it."""

    runs: int
    per_s: float
    cpu_ms: dict[str, float]


def measure(new: Callable[[], Story], rounds: int) -> Times:
    """Runs one after the other."""
    start, step, resume = [], [], []
    for _ in range(rounds):
        story = new()
        sent_ns = time.time_ns()
        began: list[int] = story.start("ten").completed()
        start.append((began[0] - sent_ns) / 1e6)
        step += [(later - earlier) / 1e6 for earlier, later in itertools.pairwise(began)]
        waiting = story.start("wait")
        waiting.reached("step.waiting")
        sent_ns = time.time_ns()
        story.send("go")
        resume.append((waiting.completed() - sent_ns) / 1e6)
    return Times(start, step, resume)


def burst(story: Story, app: App, at: Server, runs: int) -> Burst:
    """Many runs at once; asking how far they are waits until most must have ended, since it is work, too."""
    before, began = _cpu(app, at), time.time()
    events = [{"name": f"{story.app_id}/ten", "data": {"key": story.key}}] * runs
    status, answer = at.ask("POST", "/e/bench", events)
    assert status == 200, answer
    last = Run(story, answer["ids"][-1])
    while not last.is_ended():
        time.sleep(0.5)
    ended = [datetime.fromisoformat(Run(story, each).ended()["ended_at"]).timestamp() for each in answer["ids"]]
    used = {who: (now - before[who]) * 1000 / runs for who, now in _cpu(app, at).items()}
    return Burst(runs, runs / (max(ended) - began), used)


def _cpu(app: App, at: Server) -> dict[str, float]:
    return {"app": server.cpu_s(app.process.pid), **at.cpu_s()}


def report(times: Times, many: Burst) -> None:
    say(f"{'The Python SDK on `make dev`, one run at a time (ms)':<56}{'p50':>8}{'p95':>8}   the peer, quoted")
    for name, values, peer in (
        ("event sent to function started", times.start, PEER["start"]),
        ("one step to the next", times.step, PEER["step"]),
        ("event sent to a waiting run resumed", times.resume, PEER["resume"]),
    ):
        p50, p95 = statistics.median(values), statistics.quantiles(values, n=20)[-1]
        say(f"{name:<56}{p50:>8.1f}{p95:>8.1f}   {peer}")
    say("The peer's figures are those of its development server on two such cores of another machine.")
    say()
    say(f"{many.runs} runs of ten steps at once")
    say(f"{'runs per second':<56}{many.per_s:>8.1f}")
    for who, ms in many.cpu_ms.items():
        share = ms / sum(many.cpu_ms.values())
        say(f"{'CPU per run, ' + who + ' (ms)':<56}{ms:>8.1f}{share:>8.0%}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-sdk", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="runs one after the other")
    parser.add_argument("--burst", type=int, default=100, help="runs at once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stepwell-bench-") as name:
        scratch = Path(name)
        with server.running(scratch) as at, apps.running(BENCH, at, scratch, {}) as app:
            app.sync(BENCH.path)

            def new() -> Story:
                return Story("bench", BENCH, app, at, "")

            measure(new, 2)  # The first runs make connections and fill caches.
            times = measure(new, options.rounds)
            report(times, burst(new(), app, at, options.burst))
    return 0


if __name__ == "__main__":
    sys.exit(main())
