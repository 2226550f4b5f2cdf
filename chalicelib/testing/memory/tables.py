"""Tables: items by their keys, sorted in each partition, and their sparse indexes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

from chalicelib.testing.memory.conditions import KeyRange
from chalicelib.testing.memory.refusals import invalid
from chalicelib.testing.memory.values import Item, checked, item_bytes, text_bytes

Key = tuple[str, str]
_HASH_BYTES, _RANGE_BYTES = 2048, 1024


class Place(NamedTuple):
    """Where a row stands in its partition: by the range key there, then by its key in the table."""

    at: str
    row: Key


_at = itemgetter(0)


class Row(NamedTuple):
    """An item, never changed in place, and its size in bytes."""

    item: Item
    size: int


class Order:
    """Rows by partition, sorted in each."""

    def __init__(self, hash_name: str, range_name: str) -> None:
        self.hash_name = hash_name
        self.range_name = range_name
        self._partitions: dict[str, list[Place]] = {}

    def key(self, item: Item) -> Key | None:
        """The item's key in this order, if it has one. Raises Refused."""
        if self.hash_name not in item or self.range_name not in item:
            return None
        return key_of(item, self.hash_name, self.range_name)

    def clear(self) -> None:
        self._partitions.clear()

    def add(self, key: Key, row: Key) -> None:
        insort(self._partitions.setdefault(key[0], []), Place(key[1], row))

    def remove(self, key: Key, row: Key) -> None:
        partition = self._partitions[key[0]]
        del partition[bisect_left(partition, Place(key[1], row))]
        if not partition:
            del self._partitions[key[0]]

    def select(self, wanted: KeyRange, after: Place | None, *, forward: bool) -> Iterator[Place]:
        """The places in this range, behind `after`."""
        partition = self._partitions.get(wanted.partition, [])
        first, last = _bounds(partition, wanted)
        if after is not None and forward:
            first = max(first, bisect_right(partition, after))
        elif after is not None:
            last = min(last, bisect_left(partition, after))
        indexes = range(first, last)
        return (partition[index] for index in (indexes if forward else reversed(indexes)))

    def all_after(self, after: Key | None) -> Iterator[Place]:
        """The places of all partitions, behind the row `after`."""
        for name in sorted(self._partitions):
            if after is None or name > after[0]:
                yield from self._partitions[name]
            elif name == after[0]:
                yield from (place for place in self._partitions[name] if place.at > after[1])


def _bounds(partition: Sequence[Place], wanted: KeyRange) -> tuple[int, int]:
    def below(text: str) -> int:
        return bisect_left(partition, text, key=_at)

    def up_to(text: str) -> int:
        return bisect_right(partition, text, key=_at)

    match wanted.op:
        case "":
            return 0, len(partition)
        case "=":
            return below(wanted.low), up_to(wanted.low)
        case "<":
            return 0, below(wanted.low)
        case "<=":
            return 0, up_to(wanted.low)
        case ">":
            return up_to(wanted.low), len(partition)
        case ">=":
            return below(wanted.low), len(partition)
        case "BETWEEN":
            return below(wanted.low), up_to(wanted.high)
        case "begins_with":
            first = below(wanted.low)
            return first, bisect_left(partition, True, first, key=lambda place: not place.at.startswith(wanted.low))
    raise NotImplementedError(f"{wanted.op} in a key condition")


@dataclass(frozen=True)
class Page:
    """What a query or scan looked at, and the place of the last row when it stopped before the end."""

    rows: list[Row]
    last: Place | None


_PAGE_BYTES = 1024 * 1024


class Table:
    """One table, of which both keys are texts."""

    def __init__(self, name: str, keys: tuple[str, str], indexes: Mapping[str, tuple[str, str]]) -> None:
        self.name = name
        self.order = Order(*keys)
        self.indexes = {name: Order(*names) for name, names in indexes.items()}
        self.rows: dict[Key, Row] = {}

    def clear(self) -> None:
        """Forget all items."""
        self.rows.clear()
        for order in (self.order, *self.indexes.values()):
            order.clear()

    def row(self, item: Item) -> Row:
        """The item as it would be stored. Raises Refused when a key of an index is none."""
        for order in self.indexes.values():
            order.key(item)
        return Row(item, item_bytes(item))

    def write(self, key: Key, row: Row | None) -> None:
        """Put the row in the place of what is there, or remove that."""
        before = self.rows.pop(key, None)
        if row is not None:
            self.rows[key] = row
        if (before is None) is not (row is None):
            (self.order.add if row is not None else self.order.remove)(key, key)
        for order in self.indexes.values():
            old = None if before is None else order.key(before.item)
            new = None if row is None else order.key(row.item)
            if old != new:
                if old is not None:
                    order.remove(old, key)
                if new is not None:
                    order.add(new, key)

    def page(self, places: Iterator[Place], index: Order | None, limit: int | None) -> Page:
        """Rows from these places, as many as asked for and as fit into a page."""
        rows: list[Row] = []
        size, last = 0, None
        for place in places:
            row = self.rows[place.row] if index is None else self._in_index(index, self.rows[place.row])
            size += row.size
            if rows and size > _PAGE_BYTES:
                return Page(rows, last)
            rows.append(row)
            last = place
            # As DynamoDB, which does not look whether anything follows.
            if len(rows) == limit:
                return Page(rows, last)
        return Page(rows, None)

    def _in_index(self, index: Order, row: Row) -> Row:
        item = {name: row.item[name] for name in self._key_names(index)}
        return Row(item, item_bytes(item))

    def _key_names(self, index: Order) -> list[str]:
        orders = (self.order, index)
        return list(dict.fromkeys(name for order in orders for name in (order.hash_name, order.range_name)))

    def position(self, place: Place, index: Order | None) -> Item:
        """The place as a key to go on from."""
        row = self.rows[place.row].item
        return {name: row[name] for name in self._key_names(index or self.order)}

    def place(self, position: Mapping[str, Any], index: Order | None) -> tuple[str, Place]:
        """The partition and place that a key to go on from means, be it gone meanwhile. Raises Refused."""
        order = index or self.order
        if set(position) != set(self._key_names(order)):
            raise invalid("The provided starting key is invalid")
        item = checked(position)
        partition, at = key_of(item, order.hash_name, order.range_name)
        return partition, Place(at, key_of(item, self.order.hash_name, self.order.range_name))


def key_of(item: Item, hash_name: str, range_name: str) -> Key:
    """The two texts of a key. Raises Refused when one is missing, empty, too long or no text."""
    partition, place = _key_text(item, hash_name, _HASH_BYTES), _key_text(item, range_name, _RANGE_BYTES)
    return partition, place


def _key_text(item: Item, name: str, most: int) -> str:
    value = item.get(name)
    if value is None:
        raise invalid(f"One or more parameter values were invalid: Missing the key {name} in the item")
    if "S" not in value:
        raise invalid(f"One or more parameter values were invalid: Type mismatch for key {name} expected: S")
    text: str = value["S"]
    if not text:
        raise invalid(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            f"empty string value. Key: {name}"
        )
    if text_bytes(text) > most:
        raise invalid(f"One or more parameter values were invalid: Size of {name} has exceeded the maximum of {most}")
    return text
