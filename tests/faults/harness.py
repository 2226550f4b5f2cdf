"""Runs a scenario undisturbed and with a fault, and compares."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.faults import counting, observe
from tests.faults.branches import Branches
from tests.faults.emulator import Emulator
from tests.faults.injector import READS, Mode, Pair, Point, Rule
from tests.faults.scenarios import SETTINGS, Scenario, enter
from tests.faults.world import World


@dataclass(frozen=True)
class Played:
    """An execution: its world at the end, and what it looked like when its script was over and at the very end."""

    world: World
    after_script: observe.Picture
    at_end: observe.Picture


@dataclass(frozen=True)
class Baseline(Played):
    """The undisturbed execution."""

    calls: tuple[str, ...]

    def points(self) -> list[Point]:
        """Every call in every mode. A read has no effect, so to die after it is to die before it."""
        return [
            Point(number, mode)
            for number, call in enumerate(self.calls)
            for mode in Mode
            if not (mode is Mode.AFTER and call.split(".")[1] in READS)
        ]


class Disturbed(AssertionError):
    """The undisturbed execution is not as it should be."""


def play(
    emulator: Emulator,
    scenario: Scenario,
    point: Point | Pair | None = None,
    *,
    rules: Sequence[Rule] = (),
    duplicate: bool = False,
    choose: Callable[[int], Point | None] | None = None,
) -> Played:
    """One execution to its end; `choose` says at each call whether `point` is here. When the script is over, everything
    must have happened: what only a time-out or on_collect brings about later has been delayed by the fault."""
    world = World(
        emulator,
        scenario.functions,
        remaining_ms=scenario.remaining_ms,
        arm_ticks=scenario.arm_ticks,
        duplicate=duplicate,
        settings=SETTINGS,
        app=scenario.app,
    )
    if isinstance(point, Pair):
        world.injector.point, world.injector.then = point.first, point.then
    else:
        world.injector.point = point
    world.injector.rules += rules
    if choose is not None:
        world.injector.choose = choose
    enter(world)
    scenario.script(world)
    after_script = at_end = observe.picture(world, scenario.inert)
    if not scenario.open_runs and world.finish():
        at_end = observe.picture(world, scenario.inert)
    return Played(world, after_script, at_end)


def undisturbed(emulator: Emulator, scenario: Scenario) -> Baseline:
    """Raises Disturbed."""
    played = play(emulator, scenario)
    found = observe.problems(played.world, open_runs=scenario.open_runs)
    found += counting.problems(played.world, disturbed=False)
    ends = tuple(sorted(run.head.status.value for run in observe.load_runs(played.world).values()))
    if ends != scenario.ends:
        found.append(f"the runs ended as {ends}, not {scenario.ends}")
    if found:
        raise Disturbed(f"scenario {scenario.name!r}, undisturbed: " + "; ".join(found))
    return Baseline(played.world, played.after_script, played.at_end, tuple(played.world.injector.calls))


def crash(emulator: Emulator, scenario: Scenario, baseline: Baseline, point: Point | Pair) -> list[str]:
    """The scenario with this fault, or this pair: what is not as it is without."""
    try:
        played = play(emulator, scenario, point)
        if played.world.injector.fired is None:
            return [f"the call of {point} never happened"]
        return compare(played, scenario, baseline)
    except Exception:
        return [traceback.format_exc(limit=-6)]


def explore(emulator: Emulator, scenario: Scenario, baseline: Baseline, branches: Branches) -> None:
    """The scenario with each fault that there can be, each in a process that branches off where it happens: what comes
    before is the same for all of them, and done once."""
    points: dict[int, list[Point]] = {}
    for point in baseline.points():
        points.setdefault(point.call, []).append(point)
    problems: list[str] = []

    def choose(number: int) -> Point | None:
        return next((point for point in points.get(number, ()) if branches.off(scenario.name, point)), None)

    try:
        played = play(emulator, scenario, choose=choose)
        if branches.is_one:
            problems = compare(played, scenario, baseline)
        elif tuple(played.world.injector.calls) != baseline.calls:
            raise Disturbed(f"scenario {scenario.name!r}, undisturbed a second time, makes other calls")
    except BaseException:
        if not branches.is_one:
            raise
        problems = [traceback.format_exc(limit=-6)]
    if branches.is_one:
        branches.end(problems)


def compare(played: Played, scenario: Scenario, baseline: Baseline) -> list[str]:
    """How an execution differs from the undisturbed one."""
    found = observe.problems(played.world, open_runs=scenario.open_runs)
    found += counting.problems(played.world, disturbed=True)
    found += differences(played.at_end, baseline.at_end)
    if not found:
        found += [
            "when the script was over: " + text for text in differences(played.after_script, baseline.after_script)
        ]
    return found + observe.execution_problems(played.world, baseline.world)


def differences(seen: observe.Picture, wanted: observe.Picture) -> list[str]:
    """What one has and the other has not."""
    found = []
    for part, texts in wanted.items():
        found += [f"{part}, missing: {text}" for text in texts if text not in seen[part]]
        found += [f"{part}, surplus: {text}" for text in seen[part] if text not in texts]
        if len(texts) != len(seen[part]):
            found.append(f"{len(seen[part])} {part}, not {len(texts)}")
    return found
