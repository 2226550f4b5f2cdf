"""Pairs of faults: a second one in the recovery of the first. There are too many to try all: a seed says which."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.faults.harness import Baseline
from tests.faults.injector import Mode, Pair, Point
from tests.faults.scenarios import SCENARIOS

# What a recovery does at once: the calls of two or three deliveries.
_NEAR = 25


def sampled(seed: int, count: int) -> dict[str, list[Callable[[Baseline], Pair]]]:
    """So many pairs, by scenario; each chooses its first fault among the points of the scenario's baseline."""
    rng = Random(f"{seed} pairs")
    found: dict[str, list[Callable[[Baseline], Pair]]] = {}
    for _ in range(count):
        name, place = rng.choice(list(SCENARIOS)), rng.random()
        then = Point(rng.randint(1, _NEAR), rng.choice(list(Mode)))
        found.setdefault(name, []).append(_chosen(place, then))
    return found


def _chosen(place: float, then: Point) -> Callable[[Baseline], Pair]:
    def choose(baseline: Baseline) -> Pair:
        points = baseline.points()
        return Pair(points[int(place * len(points))], then)

    return choose
