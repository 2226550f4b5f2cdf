"""Which scenarios a test of all of them plays in every run of the suite. The others are marked: `make crash` plays them
too, after every crash point."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.scenarios import SCENARIOS

_EVERY = 4


def scenarios(offset: int) -> list[Any]:
    """All names, three of four marked as `whole`. Tests take different offsets, so that some meets each scenario."""
    return [
        name if number % _EVERY == offset % _EVERY else pytest.param(name, marks=pytest.mark.whole)
        for number, name in enumerate(SCENARIOS)
    ]
