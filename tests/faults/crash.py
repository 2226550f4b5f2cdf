"""`make crash`: every scenario, with a fault at every call to AWS, in every mode.

`--scenario NAME --call K --mode MODE` replays one point and shows what the process had done until then.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.faults.branches import Branches
from tests.faults.emulator import open_emulator
from tests.faults.harness import Baseline, crash, explore, undisturbed
from tests.faults.injector import Mode, Point
from tests.faults.scenarios import SCENARIOS


@dataclass(frozen=True)
class Failure:
    """A point at which the scenario did not come to its end as it should."""

    scenario: str
    point: Point
    call: str
    problems: tuple[str, ...]

    def __str__(self) -> str:
        where = f"--scenario {self.scenario!r} --call {self.point.call} --mode {self.point.mode}"
        return f"python -m tests.faults.crash {where}  ({self.call})\n    " + "\n    ".join(self.problems)


def _say(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()


class Tally:
    """What is known of the points so far."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}
        self.points: dict[str, int] = {}
        self.done: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self._baselines: dict[str, Baseline] = {}

    def begin(self, name: str, baseline: Baseline) -> None:
        """A scenario's points come next."""
        self._baselines[name] = baseline
        self.calls[name], self.points[name] = len(baseline.calls), len(baseline.points())

    def tell(self, name: str, point: Point, problems: list[str]) -> None:
        """A point was tried."""
        self.done[name] += 1
        if problems:
            failure = Failure(name, point, self._baselines[name].calls[point.call], tuple(problems))
            self.failures.append(failure)
            _say(f"FAILED {failure}")
        if self.done[name] == self.points[name]:
            _say(f"{name}: {self.points[name]} points ({self.done.total()}), {len(self.failures)} failures")


def _enumerate(names: Sequence[str], processes: int) -> int:
    began = time.perf_counter()
    tally = Tally()
    branches = Branches(processes, tally.tell)
    with open_emulator() as emulator:
        for name in names:
            baseline = undisturbed(emulator, SCENARIOS[name])
            tally.begin(name, baseline)
            # What there is by now need not be looked through for garbage, in each of the branches.
            gc.freeze()
            explore(emulator, SCENARIOS[name], baseline, branches)
        branches.join()
    _table(names, tally.calls, tally.points, Counter(failure.scenario for failure in tally.failures))
    missed = sum(tally.points.values()) - tally.done.total()
    if missed:
        _say(f"{missed} points were not tried")
    took = time.perf_counter() - began
    _say(f"{tally.done.total()} crash points, {len(tally.failures)} failures, {took:.0f} s in {processes} processes")
    return 1 if tally.failures or missed else 0


def _table(names: Sequence[str], calls: dict[str, int], points: dict[str, int], failures: Counter[str]) -> None:
    _say(f"\n{'scenario':<24}{'calls':>7}{'points':>8}{'failures':>10}")
    for name in names:
        _say(f"{name:<24}{calls[name]:>7}{points[name]:>8}{failures[name]:>10}")
    _say(f"{'all':<24}{sum(calls.values()):>7}{sum(points.values()):>8}{failures.total():>10}")


def _replay(name: str, point: Point) -> int:
    with open_emulator() as emulator:
        baseline = undisturbed(emulator, SCENARIOS[name])
        calls = baseline.calls
        if point.call >= len(calls):
            _say(f"scenario {name!r} has {len(calls)} calls")
            return 2
        for number, call in enumerate(calls[: point.call + 1]):
            _say(f"{number:>4} {call}{f'  <- {point.mode}' if number == point.call else ''}")
        problems = crash(emulator, SCENARIOS[name], baseline, point)
    if problems:
        _say(f"FAILED {Failure(name, point, calls[point.call], tuple(problems))}")
    _say(f"{int(bool(problems))} failures")
    return 1 if problems else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 when something failed."""
    parser = argparse.ArgumentParser(prog="tests.faults.crash", description=__doc__)
    parser.add_argument("--scenario", choices=list(SCENARIOS), help="only this one")
    parser.add_argument("--call", type=int, help="only the call with this number, from 0")
    parser.add_argument("--mode", type=Mode, choices=list(Mode), help="only in this mode")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 2)
    given: Any = parser.parse_args(arguments)
    names = [given.scenario] if given.scenario else list(SCENARIOS)
    if given.call is not None:
        if not (given.scenario and given.mode):
            parser.error("--call needs --scenario and --mode")
        return _replay(given.scenario, Point(given.call, given.mode))
    return _enumerate(names, given.processes)


if __name__ == "__main__":
    raise SystemExit(main())
