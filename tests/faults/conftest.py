"""The emulator of this folder's tests: one per module, emptied by each world."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib.sdk.function import Function
from tests.faults.emulator import Emulator, open_emulator
from tests.faults.harness import Baseline, undisturbed
from tests.faults.scenarios import SCENARIOS, enter
from tests.faults.world import World

MakeWorld = Callable[..., World]
BaselineOf = Callable[[str], Baseline]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """AWS, and a clock that stands still."""
    with open_emulator() as opened:
        yield opened


@pytest.fixture(scope="module")
def baseline_of(emulator: Emulator) -> BaselineOf:
    """A scenario's undisturbed execution, made once."""
    return functools.cache(lambda name: undisturbed(emulator, SCENARIOS[name]))


@pytest.fixture
def make_world(emulator: Emulator) -> MakeWorld:
    """A platform with these functions, of which steps tell their executions."""

    def make(*functions: Function[Any], **options: Any) -> World:
        world = World(emulator, functions, **options)
        enter(world)
        return world

    return make
