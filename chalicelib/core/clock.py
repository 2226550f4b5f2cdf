"""Time as a value that is handed in. Milliseconds since the epoch everywhere inside; ISO 8601 on the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        ...


def to_iso(ms: int) -> str:
    """`2026-11-24T09:00:00.000Z` for a time in milliseconds."""
    moment = datetime.fromtimestamp(ms / 1000, tz=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def from_datetime(moment: datetime) -> int:
    """Milliseconds since the epoch; a naive datetime is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def from_iso(text: str) -> int:
    """Milliseconds of an ISO 8601 time. Raises ValueError."""
    return from_datetime(datetime.fromisoformat(text))
