"""A part of `make crash` that is quick enough for every test run."""

from __future__ import annotations

import pytest

from tests.faults.conftest import BaselineOf
from tests.faults.emulator import Emulator
from tests.faults.harness import Baseline, crash
from tests.faults.scenarios import SCENARIOS

_WHOLE = ("steps", "wait fulfilled")
_EVERY = 17


def _check(emulator: Emulator, name: str, baseline: Baseline, first: int, every: int) -> None:
    failures = {}
    for point in baseline.points()[first::every]:
        found = crash(emulator, SCENARIOS[name], baseline, point)
        if found:
            failures[f"call {point.call} ({baseline.calls[point.call]}) {point.mode}"] = found
    assert not failures


@pytest.mark.parametrize("name", _WHOLE)
def test_every_point(emulator: Emulator, baseline_of: BaselineOf, name: str) -> None:
    _check(emulator, name, baseline_of(name), 0, 1)


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in _WHOLE])
def test_some_points(emulator: Emulator, baseline_of: BaselineOf, name: str) -> None:
    # Another offset for each scenario, so that every mode and place is met somewhere.
    _check(emulator, name, baseline_of(name), len(name) % _EVERY, _EVERY)
