"""`make bench-engine`: the engine's numbers. Calls and units are asserted in tests/contract/test_costs.py; times are
only printed, with the goal beside them."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from infra.local import cloud
from tests.bench import dev, scenario
from tests.bench.meter import Meter

MAX_RUN_WRITES, MAX_RUN_SENDS = 20, 3
START_GOAL_MS, STEP_GOAL_MS = 60, 6


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def costs() -> Meter:
    """What a run asks of AWS when its event's name is known to the process."""
    with cloud.start() as aws:
        bench = scenario.start(aws)
        assert bench.run_once() == "Completed"
        bench.meter.reset()
        assert bench.run_once() == "Completed"
        return bench.meter


def print_costs() -> None:
    later = costs()
    size = scenario.PAYLOAD_BYTES
    say(
        f"A run of ten steps in a row; event data, each step's output and the run's output of {size} bytes, names of 32"
    )
    say(f"{'purpose':<40}{'requests':>10}{'write units':>13}")
    for purpose, line in later.lines.items():
        say(f"{purpose:<40}{line.requests or '':>10}{line.writes or '':>13}")
    audit = "audit (in the event's record)"
    say(f"{audit:<40}{'':>10}{0:>13}")
    say(f"{'in all':<40}{'':>10}{later.total_writes():>13}")
    steps, run, sends = later.total_writes("step"), later.total_writes(), later.requests("sqs")
    say()
    say(f"write units of 10 steps           {steps:6.0f}   promised: 10")
    say(f"write units of the whole run      {run:6.0f}   promised: at most {MAX_RUN_WRITES}")
    say(f"SQS requests of ours              {sends:6d}   promised: at most {MAX_RUN_SENDS}")
    say("Besides, one write unit per event name, day and process, and what Lambda's mappings receive and delete.")


def print_times() -> None:
    with tempfile.TemporaryDirectory(prefix="stepwell-bench-") as scratch, dev.server(Path(scratch)) as at:
        times = dev.measure(at)
    say()
    say("Times on `make dev`, in-process functions" + f"{'median':>15}{'p95':>10}{'goal':>10}   (ms)")
    rows = (
        ("event sent to function started", times.to_start, f"≤ {START_GOAL_MS}"),
        ("one step", times.per_step, f"≤ {STEP_GOAL_MS}"),
        ("one put and one get through botocore alone", times.baseline, ""),
    )
    for name, values, goal in rows:
        median, p95 = dev.median_and_p95(values)
        say(f"{name:<41}{median:>15.1f}{p95:>10.1f}{goal:>10}")
    ratio = dev.median_and_p95(times.per_step)[0] / dev.median_and_p95(times.baseline)[0]
    say(f"{'a step, as a multiple of that baseline':<41}{ratio:>15.2f}")
    say(f"{'ten-step runs per second, ' + str(times.burst) + ' at once':<41}{times.runs_per_s:>15.1f}")
    cpu = "not told here" if times.cpu_per_run is None else f"{times.cpu_per_run:.0f}"
    say(f"{'our own CPU per such run, no emulator (ms)':<41}{cpu:>14}")


def main() -> int:
    print_costs()
    print_times()
    return 0


if __name__ == "__main__":
    sys.exit(main())
