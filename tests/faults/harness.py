"""Runs a scenario undisturbed and with a fault, and compares."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from tests.faults import observe
from tests.faults.emulator import Emulator
from tests.faults.injector import READS, Mode, Point
from tests.faults.scenarios import Scenario, enter
from tests.faults.world import World


@dataclass(frozen=True)
class Baseline:
    """The undisturbed execution."""

    world: World
    picture: observe.Picture
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


def play(emulator: Emulator, scenario: Scenario, point: Point | None = None, *, duplicate: bool = False) -> World:
    """One execution to its end."""
    world = World(
        emulator,
        scenario.functions,
        remaining_ms=scenario.remaining_ms,
        arm_ticks=scenario.arm_ticks,
        duplicate=duplicate,
    )
    world.injector.point = point
    enter(world)
    scenario.script(world)
    if not scenario.open_runs:
        world.finish()
    return world


def undisturbed(emulator: Emulator, scenario: Scenario) -> Baseline:
    """Raises Disturbed."""
    world = play(emulator, scenario)
    found = observe.problems(world, open_runs=scenario.open_runs)
    if found:
        raise Disturbed(f"scenario {scenario.name!r}, undisturbed: " + "; ".join(found))
    return Baseline(world, observe.picture(world, scenario.inert), tuple(world.injector.calls))


def crash(emulator: Emulator, scenario: Scenario, baseline: Baseline, point: Point) -> list[str]:
    """The scenario with this fault: what is not as it is without."""
    try:
        world = play(emulator, scenario, point)
        if world.injector.fired is None:
            return [f"call {point.call} never happened"]
        return compare(world, scenario, baseline)
    except Exception:
        return [traceback.format_exc(limit=-6)]


def compare(world: World, scenario: Scenario, baseline: Baseline) -> list[str]:
    """How an execution differs from the undisturbed one."""
    found = observe.problems(world, open_runs=scenario.open_runs)
    seen = observe.picture(world, scenario.inert)
    for part, wanted in baseline.picture.items():
        found += [f"{part}, missing: {text}" for text in wanted if text not in seen[part]]
        found += [f"{part}, surplus: {text}" for text in seen[part] if text not in wanted]
        if len(wanted) != len(seen[part]):
            found.append(f"{len(seen[part])} {part}, not {len(wanted)}")
    return found + observe.execution_problems(world, baseline.world)
