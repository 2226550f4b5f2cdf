"""Decisions on a cell: read, decide, write; whoever loses the race decides again on what the winner wrote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from chalicelib.core.errors import TransactionConflict
from chalicelib.engine.flow_ports import Cell, CellKey
from chalicelib.engine.services import Services

T = TypeVar("T")
# Each lost race is somebody else's success: so many in a row are a crowd, which the queue spreads.
_MOST_RACES = 40


@dataclass(frozen=True)
class Change(Generic[T]):
    """A decision: the cell's new text, or None when it stays as it is; until when it is of use; and the result."""

    result: T
    text: str | None = None
    until_ms: int = 0


def decide(s: Services, key: CellKey, rule: Callable[[str | None], Change[T]], *, expects_none: bool = False) -> T:
    """Apply the rule to what the cell holds (None: nothing). With `expects_none` the first write takes for granted
    that there is no cell, and is spared the read.

    The rule must know its own decision again: this process may die after the write, and the message come back.
    Raises TransactionConflict when too many want the cell at once.
    """
    seen: Cell | None = None if expects_none else s.cells.get(key)
    for _ in range(_MOST_RACES):
        change = rule(None if seen is None else seen.text)
        if change.text is None:
            return change.result
        stored = s.cells.put(key, change.text, seen=seen, expires_at_s=change.until_ms // 1000 + 1)
        if stored is not None and stored.text == change.text and stored.version == _next(seen):
            return change.result
        seen = stored
    raise TransactionConflict(f"too many starts of {key.fn_id} decide on {key.mechanism} at once")


def remove_if(s: Services, key: CellKey, is_it: Callable[[str], object]) -> None:
    """Remove the cell as long as its text is what is meant."""
    while True:
        cell = s.cells.get(key)
        if cell is None or not is_it(cell.text) or s.cells.remove(key, cell):
            return


def _next(seen: Cell | None) -> int:
    return 1 if seen is None else seen.version + 1
