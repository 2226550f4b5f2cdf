"""Keys under which an event would lie, had one of its values been another that is easily taken for it: a number sent as
text, a text in other letters or with spaces around it, a value where the waiting run had none.

Nothing is matched by them. They find what an event nearly met, however much waits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from .shapes import canonical, index_row, value_at

_LONGEST_TEXT = 256
_MOST_BITS = 128
_WORDS = {"true": True, "false": False, "null": None, "": None}
_INTEGER = re.compile(r"[+-]?[0-9]{1,38}")
_DECIMAL = re.compile(r"[+-]?[0-9]{0,38}\.?[0-9]{1,38}([eE][+-]?[0-9]{1,3})?")


def variant_keys(event_name: str, shapes: Collection[tuple[str, ...]], event: Mapping[str, Any]) -> Iterator[str]:
    """The keys for each of these shapes and each of its paths; the likeliest mistakes first, none twice."""
    known = [{path: value_at(path, event) for path in paths} for paths in sorted(shapes)]
    others = {path: near_values(value) for values in known for path, value in values.items()}
    given: set[str] = set()
    for nth in range(max(map(len, others.values()), default=0)):
        for values in known:
            for path in values:
                if nth < len(others[path]) and (key := _key(event_name, {**values, path: others[path][nth]})):
                    if key not in given:
                        yield key
                    given.add(key)


def _key(event_name: str, values: Mapping[str, Any]) -> str | None:
    """None where another path holds what no wait can ask for."""
    if any(canonical(value) is None for value in values.values()):
        return None
    return index_row(event_name, values).key


def near_values(value: Any) -> tuple[Any, ...]:
    """What is easily taken for this value, the likeliest first; without what equals it."""
    found: dict[str | None, Any] = {}
    for other in _near(value):
        found.setdefault(canonical(other), other)
    found.pop(canonical(value), None)
    return tuple(found.values())


def _near(value: Any) -> Iterator[Any]:
    match value:
        case str() if len(value) <= _LONGEST_TEXT:
            text = value.strip()
            yield from _read(text)
            yield from (text, text.lower(), text.upper(), text.capitalize())
        case bool():
            yield "true" if value else "false"
        case int() if value.bit_length() <= _MOST_BITS:
            yield str(value)
        case float() if value.is_integer() and abs(value) < 2**_MOST_BITS:
            yield str(int(value))
        case float() if math.isfinite(value):
            yield repr(value)
    # The event that started the run had no such value.
    yield None


def _read(text: str) -> Iterator[Any]:
    """What the text says, if it is no mere text."""
    if _INTEGER.fullmatch(text):
        yield int(text)
    elif _DECIMAL.fullmatch(text) and math.isfinite(number := float(text)):
        yield number
    elif text.lower() in _WORDS:
        yield _WORDS[text.lower()]
