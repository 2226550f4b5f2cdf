"""What the engine needs of the limits table for concurrency: places and the lines before them. Each write says what
makes it safe to repeat; all of them raise InfrastructureError when AWS does not answer as it should."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.core.concurrency import LimitKey, Slot, Waiter

LINE_SHARDS = 4


@dataclass(frozen=True)
class Line:
    """A key before whose places somebody stood in line; `stamp` is that of the last one who took a stand there."""

    key: LimitKey
    stamp: str


class Lines(Protocol):
    """Who holds which place, and who waits for one."""

    def slots(self, key: LimitKey) -> list[Slot]:
        """All places that are held, those that ran out included. Consistent."""
        ...

    def waiters(self, key: LimitKey, *, limit: int, upto: tuple[int, str] | None = None) -> list[Waiter]:
        """The first of the line, up to and with this place in it. Consistent."""
        ...

    def page(self, key: LimitKey, *, after: tuple[int, str] | None, limit: int) -> list[Waiter]:
        """Those behind this place in line. Consistent."""
        ...

    def take(self, key: LimitKey, slot: Slot, now_ms: int) -> bool:
        """Take a place that nobody holds, or whose time ran out, or that is this holder's; whether it is ours."""
        ...

    def take_over(self, key: LimitKey, slot: Slot) -> bool:
        """Take a place that is this holder's; whether it is ours."""
        ...

    def give_back(self, key: LimitKey, slot: Slot) -> None:
        """Give a place back, if it is still this very one's."""
        ...

    def stand(self, key: LimitKey, waiter: Waiter) -> None:
        """Stand in line; not woken yet. Whoever sweeps the lines finds this one from then on."""
        ...

    def leave(self, key: LimitKey, place_in_line: tuple[int, str], attempt: int | None = None) -> None:
        """Stand in line no more. With `attempt`, not if a later one stands there."""
        ...

    def mark_woken(self, key: LimitKey, waiter: Waiter, now_ms: int, by: str) -> bool:
        """The waiter is sent its message now: False if it was woken, or has taken its stand anew, since it was read.
        `by` is new each time, so that whoever wakes knows its own note again when the answer to it was lost."""
        ...

    def lines(self, shard: int, *, after: LimitKey | None, limit: int) -> list[Line]:
        """Keys before which somebody may stand in line. Consistent."""
        ...

    def lines_of(self, fn_id: str) -> Sequence[LimitKey]:
        """Those of one function ("" for the ones that functions share), in a fixed order. Consistent."""
        ...

    def forget(self, line: Line) -> None:
        """Nobody stood there; kept if somebody took a stand there since."""
        ...
