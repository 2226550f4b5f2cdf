"""The index: a wait lies under a key made of its event's name and the values that some paths must have.

A shape says which paths. An incoming event is looked up once per shape, whatever number of runs wait (law 5).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from chalicelib.core.errors import InvalidExpression
from chalicelib.core.expressions import STORED_LIMITS, compile_expression
from chalicelib.core.expressions.syntax import Path
from chalicelib.core.expressions.values import element

ROOT = "async"
_SHAPE_DIGITS = 12
_KEY_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Shape:
    """Which paths of an incoming event make the key.

    Attributes: `id`, a short hash that is the same in every process; `paths`, canonical texts such as
    `async.data.user_id`, sorted; none of them in the scan shape, under whose key lies what no equality can
    find.
    """

    id: str
    paths: tuple[str, ...]

    @classmethod
    def of(cls, paths: tuple[str, ...] | list[str]) -> Shape:
        """The shape of these paths, in whatever order they come."""
        return _shape(tuple(paths))


@lru_cache(maxsize=4096)
def _shape(paths: tuple[str, ...]) -> Shape:
    ordered = tuple(sorted(set(paths)))
    return Shape(digest(json.dumps(ordered), _SHAPE_DIGITS), ordered)


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One key under which a wait is found. A wait with several rows may be found more than once by one
    event."""

    shape: Shape
    key: str


def canonical(value: Any) -> str | None:
    """A text that is the same for equal values and different for unequal ones; None for what equals no
    scalar.

    Equal means what == means in an expression: 1 and 1.0 are one, true and "1" are others, exactly for any
    size.
    """
    match value:
        case None:
            return "n"
        case bool():
            return "t" if value else "f"
        case int():
            return f"i{value:x}"  # Hexadecimal: Python refuses to write thousands of decimal digits.
        case float() if value.is_integer():
            return f"i{int(value):x}"
        case float():
            return None if value != value else f"d{value.hex()}"  # NaN equals nothing.
        case str():
            return f"s{value}"
    return None


def index_row(event_name: str, values: Mapping[str, Any]) -> IndexRow:
    """The row of a wait for events in which each of these paths has its scalar value."""
    shape = Shape.of(tuple(values))
    parts = [canonical(values[path]) for path in shape.paths]
    assert None not in parts  # The planner takes nothing else for an equality.
    return IndexRow(shape, _key(event_name, shape, parts))


def lookup_key(event_name: str, shape: Shape, event: Mapping[str, Any]) -> str | None:
    """The key under which waits of this shape lie if `event` meets them.

    A path that is missing reads as null. None where no row can exist, since some path holds a list, an object
    or NaN.
    """
    parts = []
    for path in shape.paths:
        if (part := canonical(value_at(path, event))) is None:
            return None
        parts.append(part)
    return _key(event_name, shape, parts)


def value_at(path: str, event: Mapping[str, Any]) -> Any:
    """What the event has at a canonical path; None if that is missing."""
    value: Any = event
    for step in _steps(path):
        value = element(value, step)
    return value


@lru_cache(maxsize=4096)
def _steps(path: str) -> tuple[str | int, ...]:
    """The steps of a canonical path below its root; raises InvalidExpression if it is none."""
    node = compile_expression(path, roots=frozenset({ROOT}), limits=STORED_LIMITS).node
    if not isinstance(node, Path):
        raise InvalidExpression(f"{path} is not a path")
    return node.keys


def _key(event_name: str, shape: Shape, parts: list[Any]) -> str:
    return digest(json.dumps([event_name, shape.id, *parts]), _KEY_DIGITS)


def digest(text: str, digits: int) -> str:
    """The same in every process."""
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
