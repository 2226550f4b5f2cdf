"""What may go wrong between the handlers and AWS, and how often it does under one seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """A kind of fault; the text is what tables call it."""

    # Of messages.
    REORDERED = "messages in another order"
    COPIED = "a message twice in its queue"
    HELD_BACK = "a message held back"
    WINDOW = "a whole window again"
    REDELIVERED = "a second delivery in mid-work"
    EXPIRED = "visibility ran out in mid-work"
    OVERLAPPED = "another handler in mid-work"
    ACK_LOST = "an acknowledgement lost"
    # Of calls to AWS.
    THROTTLED = "a call throttled"
    REFUSED = "a call refused for good"
    CONFLICT = "a transaction in conflict"
    ANSWER_LOST = "an answer lost"
    SMALL_PAGE = "an answer in small pages"
    # Of processes.
    DIED_BEFORE = "a process dead before a call"
    DIED_AFTER = "a process dead after a call"
    DIED_IN_STEP = "a process dead in a step"
    SLOW = "seconds passed between two calls"
    SKEWED = "a clock skewed"
    # Of schedules and senders.
    TICK_MISSED = "a tick missed"
    TICK_DOUBLED = "a tick doubled"
    COLLECT_MISSED = "a collect missed"
    COLLECT_DOUBLED = "a collect doubled"
    IMPATIENT = "a sender who did not wait"


# So often does each happen where it can, in seeds in which it does at all: from, to.
_RATES: Mapping[Fault, tuple[float, float]] = {
    Fault.REORDERED: (0.3, 1.0),
    Fault.COPIED: (0.05, 0.3),
    Fault.HELD_BACK: (0.05, 0.3),
    Fault.WINDOW: (0.02, 0.08),
    Fault.REDELIVERED: (0.01, 0.06),
    Fault.EXPIRED: (0.01, 0.08),
    Fault.OVERLAPPED: (0.05, 0.3),
    Fault.ACK_LOST: (0.05, 0.3),
    Fault.THROTTLED: (0.005, 0.03),
    Fault.REFUSED: (0.01, 0.08),
    Fault.CONFLICT: (0.05, 0.4),
    Fault.ANSWER_LOST: (0.01, 0.06),
    Fault.SMALL_PAGE: (0.1, 0.8),
    Fault.DIED_BEFORE: (0.01, 0.08),
    Fault.DIED_AFTER: (0.01, 0.08),
    Fault.DIED_IN_STEP: (0.02, 0.2),
    Fault.SLOW: (0.01, 0.05),
    Fault.SKEWED: (0.3, 1.0),
    Fault.TICK_MISSED: (0.1, 0.5),
    Fault.TICK_DOUBLED: (0.1, 0.5),
    Fault.COLLECT_MISSED: (0.2, 0.6),
    Fault.COLLECT_DOUBLED: (0.1, 0.5),
    Fault.IMPATIENT: (0.2, 0.8),
}
# After which a message comes again though nothing is wrong with what it asks for.
DISRUPTIVE = frozenset(
    {Fault.EXPIRED, Fault.REFUSED, Fault.DIED_BEFORE, Fault.DIED_AFTER, Fault.DIED_IN_STEP},
)
# What puts more messages into the queues than it takes out happens so often at most, or there would never be rest; and
# so much time does not pass that a lease runs out by it.
MOST = {Fault.WINDOW: 2, Fault.COPIED: 15, Fault.SLOW: 12}
_GENTLE = 2
_ROUGH = 12
_CHANCE = 0.4


@dataclass(frozen=True)
class Weather:
    """How often each fault happens where it can. `most_disruptions`: so many of the disruptive ones at most."""

    rates: Mapping[Fault, float] = field(default_factory=dict)
    most_disruptions: int = 0

    @property
    def is_rough(self) -> bool:
        """Whether so much happens that a step may be stopped as one that kills its process."""
        return self.most_disruptions > _GENTLE


CALM = Weather()


def gentle(rng: Random) -> Weather:
    """So little that everything must end as if nothing had happened, only later."""
    return Weather({fault: rate for fault, rate in _drawn(rng).items() if fault is not Fault.IMPATIENT}, _GENTLE)


def rough(rng: Random) -> Weather:
    return Weather(_drawn(rng), _ROUGH)


def _drawn(rng: Random) -> dict[Fault, float]:
    """For every kind the same numbers are drawn, so that a new one does not change what the others do."""
    drawn = {fault: (rng.random(), rng.uniform(*bounds)) for fault, bounds in _RATES.items()}
    return {fault: rate for fault, (chance, rate) in drawn.items() if chance < _CHANCE}
