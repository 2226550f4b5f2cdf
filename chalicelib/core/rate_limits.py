"""A rate limit: at most so many starts in any period; what is more is dropped.

The starts of the last period are remembered, each by its time. A generic cell rate would remember one time only, but it
either lets no more than one of a limit of ten start at once, or up to twice the limit within a period; for what is
dropped and not delayed, both are wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

# So many times fit into one write unit, with everything else.
_MOST_TIMES = 32
# Runs whose message may come back, since nothing is known of it but this.
_MOST_GRANTED = 8


@dataclass(frozen=True)
class Rate:
    """At most `limit` in any `period_ms`, however its beginning is chosen."""

    limit: int
    period_ms: int

    @property
    def grain_ms(self) -> int:
        """How exactly a start's time is remembered: to the millisecond, or, where there may be many, rounded up to a
        part of the period. So it counts for longer, and never is there more than the limit."""
        return 1 if self.limit <= _MOST_TIMES else max(1, self.period_ms // (_MOST_TIMES - 1))


class Starts(BaseModel):
    """The starts that count: times with how many there were, and the latest runs."""

    model_config = ConfigDict(frozen=True)

    times: tuple[tuple[int, int], ...] = ()
    granted: tuple[str, ...] = ()


def start(known: Starts, rate: Rate, run_id: str, now_ms: int) -> Starts | None:
    """What counts once the run is started; the very same if it was granted before; None if it must not start."""
    if run_id in known.granted:
        return known
    # Up to and without the end of the period: a start exactly one period later is the first of the next.
    times = [(at, count) for at, count in known.times if at + rate.period_ms > now_ms]
    if sum(count for _, count in times) >= rate.limit:
        return None
    at = -(-now_ms // rate.grain_ms) * rate.grain_ms
    counts = dict(times)
    counts[at] = counts.get(at, 0) + 1
    return Starts(times=tuple(sorted(counts.items())), granted=(*known.granted, run_id)[-_MOST_GRANTED:])


def next_start_ms(known: Starts, rate: Rate, now_ms: int) -> int:
    """When the next run may start at the earliest, if nothing starts until then."""
    over = sum(count for at, count in known.times if at + rate.period_ms > now_ms) - rate.limit
    for at, count in known.times:
        if over < 0:
            break
        if at + rate.period_ms > now_ms:
            over -= count
            if over < 0:
                return at + rate.period_ms
    return now_ms
