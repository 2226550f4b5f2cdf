"""Items as DynamoDB writes them, and as plain values."""

from __future__ import annotations

from typing import Any

Item = dict[str, Any]


def marshal(value: object) -> dict[str, Any]:
    """One attribute value. Only what our items hold: text, whole numbers, flags."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    raise TypeError(f"items hold text, whole numbers and flags, not {type(value).__name__}")


def marshal_item(item: Item) -> dict[str, dict[str, Any]]:
    return {key: marshal(value) for key, value in item.items() if value is not None}


def unmarshal_item(raw: dict[str, Any] | None) -> Item | None:
    if not raw:
        return None
    item: Item = {}
    for key, typed in raw.items():
        ((kind, value),) = typed.items()
        item[key] = int(value) if kind == "N" else value
    return item
