"""Attribute values as they are on the wire: `{"S": "text"}`, `{"N": "5"}`, `{"BOOL": true}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from chalicelib.testing.memory.refusals import Refused, invalid

Typed = dict[str, Any]
Item = dict[str, Typed]

ITEM_BYTES = 400 * 1024
_WHOLE = re.compile(r"-?[1-9][0-9]{0,37}|0")
_DIGITS = 38
_EXACT = Context(prec=300)
_SURROGATES = re.compile("[\ud800-\udfff]")


def checked(item: Mapping[str, Any]) -> Item:
    """An item, or the values of an expression, with each number in its one form. Raises Refused."""
    return {name: _checked(value) for name, value in item.items()}


def _checked(value: Mapping[str, Any]) -> Typed:
    if len(value) != 1:
        raise invalid("Supplied AttributeValue must contain exactly one of the supported datatypes")
    [(kind, inner)] = value.items()
    if kind == "S" and isinstance(inner, str):
        if not inner.isascii() and _SURROGATES.search(inner):
            raise Refused("SerializationException", "a text that is not Unicode")
        return {"S": inner}
    if kind == "N" and isinstance(inner, str):
        return {"N": inner if _WHOLE.fullmatch(inner) else _number(inner)}
    if kind == "BOOL" and isinstance(inner, bool):
        return {"BOOL": inner}
    if kind in ("S", "N", "BOOL"):
        raise invalid(f"{kind} of another type: {inner!r}")
    raise NotImplementedError(f"attributes of type {kind}")


def _number(text: str) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise invalid("The parameter cannot be converted to a numeric value")
    if len(_EXACT.normalize(number).as_tuple().digits) > _DIGITS:
        raise invalid("Attempting to store more than 38 significant digits in a Number")
    return plus(number, Decimal(0))


def plus(one: Decimal, other: Decimal) -> str:
    """The sum, as DynamoDB writes numbers: without exponents and without zeros at the end."""
    total = _EXACT.add(one, other)
    if total == 0:
        return "0"
    if not -130 <= total.adjusted() <= 125:
        raise invalid("Number overflow. Attempting to store a number with a magnitude that is not supported")
    text = f"{total:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_less(one: Typed, other: Typed) -> bool:
    """Whether it comes before; values of two types do not."""
    if "S" in one and "S" in other:
        # By code points, which is the order of their UTF-8 bytes.
        return bool(one["S"] < other["S"])
    if "N" in one and "N" in other:
        return Decimal(one["N"]) < Decimal(other["N"])
    return False


def text_bytes(text: str) -> int:
    """Its length in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def item_bytes(item: Item) -> int:
    """How large DynamoDB takes it to be."""
    return sum(text_bytes(name) + _bytes(value) for name, value in item.items())


def _bytes(value: Typed) -> int:
    if "S" in value:
        return text_bytes(value["S"])
    if "N" in value:
        # A byte for two digits, and one.
        return (len(value["N"].strip("-").replace(".", "")) + 1) // 2 + 1
    return 1
