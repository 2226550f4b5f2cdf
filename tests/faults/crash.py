"""`make crash`: every scenario, with a fault at every call to AWS, in every mode; then pairs of faults, by seed.

`--scenario NAME --call K --mode MODE` replays one point and shows what the process had done until then; with
`--then J --then-mode MODE` a second fault comes J calls later. `--pairs N --seed S` tries N pairs and nothing else.
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
from tests.faults.injector import Mode, Pair, Point
from tests.faults.pairs import sampled
from tests.faults.scenarios import SCENARIOS

_PAIRS = 300


@dataclass(frozen=True)
class Failure:
    """A point at which the scenario did not come to its end as it should."""

    scenario: str
    point: Point | Pair
    call: str
    problems: tuple[str, ...]

    def __str__(self) -> str:
        first = _first(self.point)
        where = f"--scenario {self.scenario!r} --call {first.call} --mode {first.mode}"
        if isinstance(self.point, Pair):
            where += f" --then {self.point.then.call} --then-mode {self.point.then.mode}"
        return f"python -m tests.faults.crash {where}  ({self.call})\n    " + "\n    ".join(self.problems)


def _first(point: Point | Pair) -> Point:
    return point.first if isinstance(point, Pair) else point


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

    def begin(self, name: str, baseline: Baseline, points: int) -> None:
        """So many points of a scenario come next."""
        self._baselines[name] = baseline
        self.calls[name], self.points[name] = len(baseline.calls), points

    def tell(self, name: str, point: Point | Pair, problems: list[str]) -> None:
        """A point was tried."""
        self.done[name] += 1
        if problems:
            failure = Failure(name, point, self._baselines[name].calls[_first(point).call], tuple(problems))
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
            tally.begin(name, baseline, len(baseline.points()))
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


def _try_pairs(seed: int, count: int, processes: int) -> int:
    """A second fault in the recovery of a first one, so many times."""
    began = time.perf_counter()
    tally = Tally()
    branches = Branches(processes, tally.tell)
    with open_emulator() as emulator:
        for name, chosen in sampled(seed, count).items():
            baseline = undisturbed(emulator, SCENARIOS[name])
            tally.begin(name, baseline, len(chosen))
            gc.freeze()
            for pair in (choose(baseline) for choose in chosen):
                if branches.off(name, pair):
                    branches.end(crash(emulator, SCENARIOS[name], baseline, pair))
        branches.join()
    took = time.perf_counter() - began
    _say(f"{tally.done.total()} pairs of crash points (seed {seed}), {len(tally.failures)} failures, {took:.0f} s")
    return 1 if tally.failures or tally.done.total() < count else 0


def _table(names: Sequence[str], calls: dict[str, int], points: dict[str, int], failures: Counter[str]) -> None:
    _say(f"\n{'scenario':<24}{'calls':>7}{'points':>8}{'failures':>10}")
    for name in names:
        _say(f"{name:<24}{calls[name]:>7}{points[name]:>8}{failures[name]:>10}")
    _say(f"{'all':<24}{sum(calls.values()):>7}{sum(points.values()):>8}{failures.total():>10}")


def _replay(name: str, point: Point | Pair) -> int:
    with open_emulator() as emulator:
        baseline = undisturbed(emulator, SCENARIOS[name])
        calls = baseline.calls
        first = _first(point)
        if first.call >= len(calls):
            _say(f"scenario {name!r} has {len(calls)} calls")
            return 2
        for number, call in enumerate(calls[: first.call + 1]):
            _say(f"{number:>4} {call}{f'  <- {first.mode}' if number == first.call else ''}")
        problems = crash(emulator, SCENARIOS[name], baseline, point)
    if problems:
        _say(f"FAILED {Failure(name, point, calls[first.call], tuple(problems))}")
    _say(f"{int(bool(problems))} failures")
    return 1 if problems else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 when something failed."""
    parser = argparse.ArgumentParser(prog="tests.faults.crash", description=__doc__)
    parser.add_argument("--scenario", choices=list(SCENARIOS), help="only this one")
    parser.add_argument("--call", type=int, help="only the call with this number, from 0")
    parser.add_argument("--mode", type=Mode, choices=list(Mode), help="only in this mode")
    parser.add_argument("--then", type=int, help="a second fault, so many calls later")
    parser.add_argument("--then-mode", type=Mode, choices=list(Mode), help="its mode")
    parser.add_argument("--pairs", type=int, help=f"so many pairs of faults, and nothing else (all: {_PAIRS})")
    parser.add_argument("--seed", type=int, default=0, help="which pairs")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 2)
    given: Any = parser.parse_args(arguments)
    names = [given.scenario] if given.scenario else list(SCENARIOS)
    if given.call is not None:
        if not (given.scenario and given.mode):
            parser.error("--call needs --scenario and --mode")
        point = Point(given.call, given.mode)
        if given.then is None:
            return _replay(given.scenario, point)
        if not given.then_mode:
            parser.error("--then needs --then-mode")
        return _replay(given.scenario, Pair(point, Point(given.then, given.then_mode)))
    if given.pairs is not None:
        return _try_pairs(given.seed, given.pairs, given.processes)
    code = _enumerate(names, given.processes)
    return code if given.scenario else _try_pairs(given.seed, _PAIRS, given.processes) or code


if __name__ == "__main__":
    raise SystemExit(main())
