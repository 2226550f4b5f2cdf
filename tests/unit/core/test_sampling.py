"""Counting by a sample."""

from __future__ import annotations

import pytest

from chalicelib.core.sampling import Scale


@pytest.mark.parametrize(
    ("looked_at", "total", "is_complete", "count", "estimate"),
    [
        (100, 100, True, 7, 7),
        (100, 5, True, 7, 7),
        (0, 0, True, 0, 0),
        (0, 1_000, False, 0, 0),
        (100, 1_000, False, 7, 70),
        (300, 1_000, False, 1, 3),
        (100, 5, False, 7, 7),
        (100, 1_000, False, 0, 0),
    ],
)
def test_what_was_seen_stands_for_the_rest(
    looked_at: int, total: int, is_complete: bool, count: int, estimate: int
) -> None:
    assert Scale(looked_at, total, is_complete).of(count) == estimate
