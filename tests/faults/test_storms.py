"""Some seeds of `make soak` in every run of the suite, the same ones each time; a seed is played alike each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.emulator import Emulator
from tests.faults.storms.invariants import INVARIANTS
from tests.faults.storms.seeds import Baselines, Seed, drawn, try_seed
from tests.faults.storms.weather import Fault

_SEEDS = 200
_TESTS = 20


@pytest.fixture(scope="module")
def baselines(emulator: Emulator) -> Baselines:
    return Baselines(emulator)


@pytest.mark.parametrize("first", range(_TESTS))
def test_invariants_hold(emulator: Emulator, baselines: Baselines, first: int) -> None:
    found = [try_seed(emulator, baselines, drawn(number)) for number in range(first, _SEEDS, _TESTS)]
    assert {one.seed.replay: one.problems for one in found if one.problems} == {}


def test_a_seed_is_played_alike_each_time(emulator: Emulator, baselines: Baselines) -> None:
    seed = Seed(4, ("steps", "signal of a step"), is_rough=True)
    first, second = (try_seed(emulator, baselines, seed) for _ in range(2))
    assert first.history == second.history
    assert first.faults == second.faults


def test_each_kind_of_fault_has_a_rate() -> None:
    drawn_kinds = set().union(*(drawn(number).weather().rates for number in range(200)))
    assert drawn_kinds == set(Fault)


def test_invariants_are_listed_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "RELIABILITY.md").read_text()
    missing = [
        name for one in INVARIANTS if f"**{(name := one.__name__.replace('_', ' ').capitalize())}.**" not in text
    ]
    assert missing == []
