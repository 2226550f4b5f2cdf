"""Looks at a load while it is under way: what lies in the queues, what was executed, how large the workers are."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True)
class Look:
    """At one moment: seconds since the beginning; messages in both queues; events accepted and steps executed so far;
    resident memory of each worker in MB."""

    at_s: float
    phase: str
    visible: int
    in_flight: int
    delayed: int
    accepted: int
    executed: int
    resident_mb: tuple[float, ...]

    @property
    def backlog(self) -> int:
        return self.visible + self.in_flight + self.delayed


def resident_mb(pids: Sequence[int]) -> tuple[float, ...]:
    """Resident memory of processes, as ps has it on every system."""
    asked = subprocess.run(
        ["ps", "-o", "rss=", "-p", ",".join(map(str, pids))], capture_output=True, text=True, check=True
    )
    return tuple(int(line) / 1024 for line in asked.stdout.split())


@dataclass(frozen=True)
class Growth:
    """How a worker's memory developed in a time: by how many MB its last quarter lies above its first, and how many MB
    it gains in a minute (least squares)."""

    first_mb: float
    last_mb: float
    mb_a_minute: float

    @property
    def mb(self) -> float:
        return self.last_mb - self.first_mb


def growth(looks: Sequence[Look], worker: int) -> Growth:
    """Of one worker, over these looks."""
    sizes = [look.resident_mb[worker] for look in looks]
    times = [look.at_s / 60 for look in looks]
    quarter = max(1, len(sizes) // 4)
    middle, average = fmean(times), fmean(sizes)
    spread = sum((time - middle) ** 2 for time in times)
    slope = sum((time - middle) * (size - average) for time, size in zip(times, sizes, strict=True)) / (spread or 1.0)
    return Growth(fmean(sizes[:quarter]), fmean(sizes[-quarter:]), slope)
