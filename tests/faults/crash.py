"""`make crash`: every scenario, with a fault at every call to AWS, in every mode.

`--scenario NAME --call K --mode MODE` replays one point and shows what the process had done until then.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.faults.emulator import Emulator, open_emulator
from tests.faults.harness import Baseline, crash, undisturbed
from tests.faults.injector import Mode, Point
from tests.faults.scenarios import SCENARIOS

_CHUNK = 24


@dataclass(frozen=True)
class Task:
    """Some points of a scenario."""

    scenario: str
    points: tuple[Point, ...]


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


class Worker:
    """One process with an emulator of its own; undisturbed executions are kept."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._baselines: dict[str, Baseline] = {}

    def baseline(self, name: str) -> Baseline:
        """The undisturbed execution."""
        if name not in self._baselines:
            self._baselines[name] = undisturbed(self._emulator, SCENARIOS[name])
        return self._baselines[name]

    def run(self, task: Task) -> list[Failure]:
        """The points that fail."""
        baseline = self.baseline(task.scenario)
        found = []
        for point in task.points:
            problems = crash(self._emulator, SCENARIOS[task.scenario], baseline, point)
            if problems:
                found.append(Failure(task.scenario, point, baseline.calls[point.call], tuple(problems)))
        return found


_open_until_exit = contextlib.ExitStack()
_worker: list[Worker] = []


def _open() -> None:
    _worker.append(Worker(_open_until_exit.enter_context(open_emulator())))


def _run(task: Task) -> tuple[Task, list[Failure]]:
    return task, _worker[0].run(task)


def _tasks(worker: Worker, names: Sequence[str]) -> Iterator[Task]:
    for name in names:
        points = worker.baseline(name).points()
        for start in range(0, len(points), _CHUNK):
            yield Task(name, tuple(points[start : start + _CHUNK]))


def _say(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()


def _enumerate(names: Sequence[str], processes: int) -> int:
    began = time.perf_counter()
    with open_emulator() as emulator:
        worker = Worker(emulator)
        tasks = list(_tasks(worker, names))
        calls = {name: len(worker.baseline(name).calls) for name in names}
        points = {name: len(worker.baseline(name).points()) for name in names}
    failures: list[Failure] = []
    done = 0
    total = sum(len(task.points) for task in tasks)
    with multiprocessing.get_context("spawn").Pool(processes, initializer=_open) as pool:
        for task, found in pool.imap_unordered(_run, tasks):
            done += len(task.points)
            failures += found
            for failure in found:
                _say(f"FAILED {failure}")
            if sys.stdout.isatty():
                _say(f"\r{done}/{total} points, {len(failures)} failures", end="")
            elif done * 10 // total > (done - len(task.points)) * 10 // total:
                _say(f"{done}/{total} points, {len(failures)} failures")
    _table(names, calls, points, Counter(failure.scenario for failure in failures))
    _say(f"{total} crash points, {len(failures)} failures, {time.perf_counter() - began:.0f} s on {processes} cores")
    return 1 if failures else 0


def _table(names: Sequence[str], calls: dict[str, int], points: dict[str, int], failures: Counter[str]) -> None:
    _say(f"\n{'scenario':<24}{'calls':>7}{'points':>8}{'failures':>10}")
    for name in names:
        _say(f"{name:<24}{calls[name]:>7}{points[name]:>8}{failures[name]:>10}")
    _say(f"{'all':<24}{sum(calls.values()):>7}{sum(points.values()):>8}{failures.total():>10}")


def _replay(name: str, point: Point) -> int:
    with open_emulator() as emulator:
        worker = Worker(emulator)
        calls = worker.baseline(name).calls
        if point.call >= len(calls):
            _say(f"scenario {name!r} has {len(calls)} calls")
            return 2
        for number, call in enumerate(calls[: point.call + 1]):
            _say(f"{number:>4} {call}{f'  <- {point.mode}' if number == point.call else ''}")
        failures = worker.run(Task(name, (point,)))
    for failure in failures:
        _say(f"FAILED {failure}")
    _say(f"{len(failures)} failures")
    return 1 if failures else 0


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
