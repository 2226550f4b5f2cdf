"""Which scenarios a test of all of them plays in every run of the suite. The others are marked: `make crash` plays them
too, after every crash point."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.scenarios import SCENARIOS

_EVERY = 8


def some(kept: tuple[Any, ...], *others: Any) -> list[Any]:
    """All of these, the others marked as `whole`."""
    return [*kept, *(pytest.param(*_values(other), marks=pytest.mark.whole) for other in others)]


def _values(other: Any) -> tuple[Any, ...]:
    return other if isinstance(other, tuple) else (other,)


def scenarios(offset: int) -> list[Any]:
    """All names, seven of eight marked as `whole`. Tests take different offsets, so that some meets each scenario."""
    return [
        name if number % _EVERY == offset % _EVERY else pytest.param(name, marks=pytest.mark.whole)
        for number, name in enumerate(SCENARIOS)
    ]
