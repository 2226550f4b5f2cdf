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
        return _read(self._dynamo.get(self._table, *keys.cell(key)))

    def put(self, key: CellKey, text: str, *, seen: Cell | None, expires_at_s: int) -> Cell | None:
        version = 1 if seen is None else seen.version + 1
        write = Write(
            self._table,
            keys.cell(key),
            item={"cell": text, "ver": version, "expires_at": expires_at_s},
            condition="attribute_not_exists(pk)" if seen is None else _SEEN,
            values={} if seen is None else _seen(seen),
        )
        try:
            self._dynamo.put(write)
        except ConditionFailed as lost:
            return _read(lost.item)
        return Cell(text, version)

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


def _read(item: Item | None) -> Cell | None:
    return None if item is None else Cell(str(item["cell"]), int(item["ver"]))
