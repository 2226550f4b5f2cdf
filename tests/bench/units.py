"""Units of DynamoDB that the emulator does not tell, by AWS's published rules: what is read, and what a write costs
whose condition fails."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

_READ_BYTES, _WRITE_BYTES = 4_096, 1_024


def item_bytes(item: Mapping[str, Any]) -> int:
    """How large DynamoDB takes an item to be that is given in its wire form."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(typed: Mapping[str, Any]) -> int:
    [(kind, value)] = typed.items()
    if kind == "S":
        return len(value.encode())
    if kind == "N":
        # A byte for two digits, and one.
        return (len(value.strip("-").replace(".", "")) + 1) // 2 + 1
    if kind == "B":
        return len(value)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_bytes(one) for name, one in value.items())
    if kind == "L":
        return 3 + sum(1 + _value_bytes(one) for one in value)
    if kind in ("SS", "NS", "BS"):
        return 3 + sum(_value_bytes({kind[0]: one}) for one in value)
    return 1  # BOOL, NULL


def read_units(operation: str, request: Mapping[str, Any], answer: Mapping[str, Any]) -> float:
    """Of one request that was answered. What a filter or a projection left out of the answer is not counted."""
    if operation == "BatchGetItem":
        return sum(_units_of_batch(request["RequestItems"], answer))
    if operation == "GetItem":
        size = item_bytes(answer.get("Item", {}))
    else:
        size = sum(map(item_bytes, answer.get("Items", ())))
    return _read(size, is_consistent=bool(request.get("ConsistentRead")))


def _units_of_batch(asked: Mapping[str, Any], answer: Mapping[str, Any]) -> Iterable[float]:
    """Each item by itself; one that is missing is as dear as a small one."""
    for table, wanted in asked.items():
        is_consistent = bool(wanted.get("ConsistentRead"))
        found = answer.get("Responses", {}).get(table, [])
        unprocessed = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        yield from (_read(item_bytes(item), is_consistent=is_consistent) for item in found)
        missing = len(wanted["Keys"]) - len(found) - len(unprocessed)
        yield missing * _read(0, is_consistent=is_consistent)


def _read(size: int, *, is_consistent: bool) -> float:
    return max(1, math.ceil(size / _READ_BYTES)) * (1.0 if is_consistent else 0.5)


def refused_units(request: Mapping[str, Any], answer: Mapping[str, Any]) -> float:
    """What a write takes though its condition failed: by the size of the item, that which is there or the new one. Each
    operation of a transaction that was refused counts as one of at most 1 KB."""
    if "TransactItems" in request:
        return 2.0 * len(request["TransactItems"])
    size = max(item_bytes(answer.get("Item", {})), item_bytes(request.get("Item", {})))
    return float(max(1, math.ceil(size / _WRITE_BYTES)))
