"""A throttle: starts are spaced by the generic cell rate algorithm, and what is too early is given a later time."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

# Runs whose message may come back, since nothing is known of it but this.
_MOST_GRANTED = 8


@dataclass(frozen=True)
class Pace:
    """`limit` starts a `period_ms`, evenly spaced, but for `burst` that may come at once."""

    limit: int
    period_ms: int
    burst: int = 1

    @property
    def interval_us(self) -> int:
        """From one start to the next, rounded up: never above the limit."""
        return -(-self.period_ms * 1_000 // self.limit)


class Schedule(BaseModel):
    """When the next start is due at an even pace (in algorithms' books: the theoretical arrival time), and the times
    that the latest runs were given, in milliseconds."""

    model_config = ConfigDict(frozen=True)

    tat_us: int = 0
    granted: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Slot:
    """When a run starts, and the schedule once it has been told so."""

    start_ms: int
    schedule: Schedule


def slot(known: Schedule, pace: Pace, run_id: str, now_ms: int) -> Slot:
    """The run's start. One that was given a time before has it still, and the schedule stays the very same."""
    for run, start_ms in known.granted:
        if run == run_id:
            return Slot(start_ms, known)
    now_us = now_ms * 1_000
    start_us = max(now_us, known.tat_us - (pace.burst - 1) * pace.interval_us)
    start_ms = -(-start_us // 1_000)
    granted = (*known.granted, (run_id, start_ms))[-_MOST_GRANTED:]
    return Slot(start_ms, Schedule(tat_us=max(known.tat_us, start_us) + pace.interval_us, granted=granted))
