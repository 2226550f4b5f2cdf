"""The limits table: a cell is one item, written with its version as the condition."""

from __future__ import annotations

from chalicelib.aws import keys
from chalicelib.aws.dynamo import ConditionFailed, Dynamo, Write
from chalicelib.aws.marshalling import Item
from chalicelib.engine.flow_ports import Cell, CellKey


class DynamoCells:
    """Implements engine.flow_ports.Cells."""

    def __init__(self, dynamo: Dynamo, table: str) -> None:
        self._dynamo = dynamo
        self._table = table

    def get(self, key: CellKey) -> Cell | None:
        return read_cell(self._dynamo.get(self._table, *keys.cell(key)))

    def put(self, key: CellKey, text: str, *, seen: Cell | None, expires_at_s: int) -> Cell | None:
        try:
            self._dynamo.put(cell_write(self._table, key, text, seen, expires_at_s))
        except ConditionFailed as lost:
            return read_cell(lost.item)
        return Cell(text, _following(seen))

    def remove(self, key: CellKey, seen: Cell) -> bool:
        try:
            self._dynamo.delete(Write(self._table, keys.cell(key), condition=_SEEN, values=_seen(seen)))
        except ConditionFailed as lost:
            return lost.item is None
        return True


# The text, too: one that was removed and made anew counts from the beginning.
_SEEN = "ver = :seen AND cell = :was"


def _seen(cell: Cell) -> Item:
    return {"seen": cell.version, "was": cell.text}


def _following(seen: Cell | None) -> int:
    return 1 if seen is None else seen.version + 1


def cell_write(table: str, key: CellKey, text: str, seen: Cell | None, expires_at_s: int) -> Write:
    """Write the cell if it is still the one seen (None: if there is none)."""
    return Write(
        table,
        keys.cell(key),
        item={"cell": text, "ver": _following(seen), "expires_at": expires_at_s},
        condition="attribute_not_exists(pk)" if seen is None else _SEEN,
        values={} if seen is None else _seen(seen),
    )


def read_cell(item: Item | None) -> Cell | None:
    """The cell in its item; None where there is none."""
    return None if item is None else Cell(str(item["cell"]), int(item["ver"]))
