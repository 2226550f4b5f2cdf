"""A part of `make crash` that is quick enough for every test run."""

from __future__ import annotations

import pytest

from tests.faults.conftest import BaselineOf
from tests.faults.emulator import Emulator
from tests.faults.harness import Baseline, crash
from tests.faults.injector import Mode, Point
from tests.faults.pairs import sampled
from tests.faults.scenarios import SCENARIOS

_WHOLE = ("steps",)
_EVERY = 97


def _check(emulator: Emulator, name: str, baseline: Baseline, points: list[Point]) -> None:
    assert points
    failures = {}
    for point in points:
        found = crash(emulator, SCENARIOS[name], baseline, point)
        if found:
            failures[f"call {point.call} ({baseline.calls[point.call]}) {point.mode}"] = found
    assert not failures


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("name", _WHOLE)
def test_every_point(emulator: Emulator, baseline_of: BaselineOf, name: str, mode: Mode) -> None:
    baseline = baseline_of(name)
    _check(emulator, name, baseline, [point for point in baseline.points() if point.mode is mode])


@pytest.mark.parametrize("name", [name for number, name in enumerate(SCENARIOS) if number % 4 == 3])
def test_some_points(emulator: Emulator, baseline_of: BaselineOf, name: str) -> None:
    # Another offset for each scenario, so that every mode and place is met somewhere.
    baseline = baseline_of(name)
    _check(emulator, name, baseline, baseline.points()[len(name) % _EVERY :: _EVERY])


def test_some_pairs(emulator: Emulator, baseline_of: BaselineOf) -> None:
    failures = {}
    for name, chosen in sampled(0, 12).items():
        for choose in chosen:
            pair = choose(baseline_of(name))
            found = crash(emulator, SCENARIOS[name], baseline_of(name), pair)
            if found:
                failures[name, pair] = found
    assert failures == {}
