"""Debounces and batches: the open generation of a key is a cell of the limits table, what is closed a row beside it;
that an event has joined one stands with what else the event caused."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.aws import keys
from chalicelib.aws.cells import cell_write, read_cell
from chalicelib.aws.dynamo import Dynamo, TransactionRefused, Write
from chalicelib.aws.items import dump
from chalicelib.core.joining import Closed, Joined
from chalicelib.engine.flow_ports import Cell, CellKey


class DynamoJoins:
    """Implements engine.join_ports.Joins. `stamp` tells until when what is written now is kept (seconds)."""

    def __init__(self, dynamo: Dynamo, *, limits_table: str, events_table: str, stamp: Callable[[], int]) -> None:
        self._dynamo = dynamo
        self._limits = limits_table
        self._events = events_table
        self._stamp = stamp

    def join(
        self,
        key: CellKey,
        event_id: str,
        joined: Joined,
        text: str,
        *,
        seen: Cell | None,
        closed: list[Closed],
        expires_at_s: int,
    ) -> Joined | Cell | None:
        marker = Write(
            self._events,
            keys.joined(event_id, key.fn_id),
            item={"joined": dump(joined), "expires_at": self._stamp()},
            condition="attribute_not_exists(pk)",
        )
        cell = cell_write(self._limits, key, text, seen, expires_at_s)
        try:
            self._dynamo.transact([marker, cell, *map(self._closed_write, closed)])
        except TransactionRefused as refused:
            earlier = refused.failed.get(0)
            if earlier is not None:
                return Joined.model_validate_json(earlier["joined"])
            return read_cell(refused.failed.get(1))
        return joined

    def _closed_write(self, closed: Closed) -> Write:
        item = {"closed": dump(closed), "expires_at": self._stamp()}
        return Write(self._limits, keys.closed(closed.generation.run_id), item=item)

    def joined(self, event_id: str, fn_id: str) -> Joined | None:
        item = self._dynamo.get(self._events, *keys.joined(event_id, fn_id))
        return None if item is None else Joined.model_validate_json(item["joined"])

    def close(self, key: CellKey, text: str, closed: Closed, *, seen: Cell, expires_at_s: int) -> Closed | Cell | None:
        try:
            self._dynamo.transact([cell_write(self._limits, key, text, seen, expires_at_s), self._closed_write(closed)])
        except TransactionRefused as refused:
            return read_cell(refused.failed.get(0))
        return closed

    def closed(self, run_id: str) -> Closed | None:
        item = self._dynamo.get(self._limits, *keys.closed(run_id))
        return None if item is None else Closed.model_validate_json(item["closed"])

    def remove(self, run_id: str) -> None:
        self._dynamo.delete(Write(self._limits, keys.closed(run_id)))
