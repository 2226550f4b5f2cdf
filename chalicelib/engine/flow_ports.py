"""What flow control remembers between starts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Mechanism(StrEnum):
    """What a cell is for. Persisted as a part of its key."""

    IDEMPOTENCY = "idempotency"
    RATE_LIMIT = "rate-limit"
    THROTTLE = "throttle"
    SINGLETON = "singleton"
    DEBOUNCE = "debounce"
    BATCH = "batch"


@dataclass(frozen=True)
class CellKey:
    """A cell of a function's: `digest` is that of the key's value."""

    mechanism: Mechanism
    fn_id: str
    digest: str


@dataclass(frozen=True)
class Cell:
    """A small text, and how often it was written."""

    text: str
    version: int


class Cells(Protocol):
    """The limits table: small texts that are read, decided upon, and written if nobody else has written meanwhile.

    All of it raises InfrastructureError when AWS does not answer as it should.
    """

    def get(self, key: CellKey) -> Cell | None:
        """Consistent. One that has outlived its expiry may still be there."""
        ...

    def put(self, key: CellKey, text: str, *, seen: Cell | None, expires_at_s: int) -> Cell | None:
        """Write if the cell is still the one seen (None: if there is none). What is there now: with the very text
        handed in if it was written, even if its answer was lost; None when it is gone."""
        ...

    def remove(self, key: CellKey, seen: Cell) -> bool:
        """Remove the cell if it is still the one seen; whether it is gone."""
        ...
