"""What the engine needs of the pause index: rows by their keys, page by page, and the shapes that are in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.core.errors import Unreadable
from chalicelib.core.pauses import Pause
from chalicelib.core.steps import PauseKey


@dataclass(frozen=True)
class Place:
    """Under a key of the pause index, behind a row of it."""

    key: str
    after: str = ""


@dataclass(frozen=True)
class PausePage:
    """Rows under a key, in their order, and the place behind them, if there are more. `unreadable`: there is a row
    among them of a form that this release does not know."""

    rows: tuple[Pause, ...]
    following: str | None
    unreadable: Unreadable | None = None


class Pauses(Protocol):
    """The pauses table: index rows, and the shapes that are in use."""

    def note_shape(self, event_name: str, shape: tuple[str, ...], until_ms: int) -> None:
        """Make the shape known for this event name at least until then."""
        ...

    def shapes(self, event_name: str) -> list[tuple[str, ...]]:
        """The shapes registered for an event name. Consistent."""
        ...

    def shapes_lately(self, event_name: str, now_ms: int) -> list[tuple[str, ...]]:
        """The shapes registered for an event name as they were known within the last minute: good enough to choose one,
        not to match by."""
        ...

    def pages(self, places: Sequence[Place], limit: int) -> list[PausePage]:
        """From each place on up to `limit` rows. Consistent."""
        ...

    def remove(self, keys: Sequence[PauseKey]) -> None:
        """Remove rows; those that are gone already are none of our concern."""
        ...

    def scan(self, after: str | None, limit: int) -> tuple[list[Pause], str | None]:
        """Some rows of the whole table, and where to go on."""
        ...
