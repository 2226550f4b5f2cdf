"""What values mean: kinds, equality, order and fields, on plain JSON values of Python. Nothing here converts
an event."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from types import NoneType
from typing import Any

from .limits import CHARACTERS_PER_STEP, MAX_STEPS
from .times import Duration, Timestamp


class EvaluationError(Exception):
    """An evaluation went wrong in a way that && and || may outweigh; its text is for the user."""


class ExhaustedError(Exception):
    """An evaluation took more steps than allowed: it ends, whatever else the expression says."""


class Kind(Enum):
    """What a value is; its text is how messages call it."""

    NULL = "null"
    BOOL = "a boolean"
    NUMBER = "a number"
    TEXT = "a string"
    LIST = "a list"
    MAP = "an object"
    TIMESTAMP = "a timestamp"
    DURATION = "a duration"
    OTHER = "something that JSON has not"


class Scope:
    """One evaluation: its variables and the steps that it may still take."""

    __slots__ = ("steps", "variables")

    def __init__(self, variables: dict[str, Any], steps: int = MAX_STEPS) -> None:
        self.variables = variables
        self.steps = steps

    def spend(self, steps: int) -> None:
        """Count work; raises ExhaustedError when it was too much."""
        self.steps -= steps
        if self.steps < 0:
            raise ExhaustedError(f"the evaluation takes more than {MAX_STEPS} steps")

    def spend_text(self, characters: int) -> None:
        """Count the work of reading or writing so much text."""
        if characters >= CHARACTERS_PER_STEP:
            self.spend(characters // CHARACTERS_PER_STEP)


Program = Callable[[Scope], Any]
"""Evaluates a part of an expression in a scope; raises EvaluationError or ExhaustedError."""

_KINDS: dict[type, Kind] = {
    NoneType: Kind.NULL,
    bool: Kind.BOOL,
    int: Kind.NUMBER,
    float: Kind.NUMBER,
    str: Kind.TEXT,
    list: Kind.LIST,
    dict: Kind.MAP,
    Timestamp: Kind.TIMESTAMP,
    Duration: Kind.DURATION,
}


def kind(value: Any) -> Kind:
    """What the value is. Subclasses of JSON's types count as what they derive from."""
    found = _KINDS.get(type(value))
    if found is not None:
        return found
    return next((of for base, of in _KINDS.items() if isinstance(value, base)), Kind.OTHER)


def not_a_boolean(where: str, value: Any) -> EvaluationError:
    """The error of an operator or macro that was given something else than true or false."""
    return EvaluationError(f"{where} needs a boolean, not {kind(value).value}")


def same(left: Any, right: Any, scope: Scope) -> bool:
    """Equality: by value, numbers whatever their type and exactly, unlike kinds never, NaN never."""
    of = kind(left)
    if of is not kind(right) or of is Kind.OTHER:
        return False
    if of is Kind.TEXT:
        if len(left) != len(right):
            return False
        scope.spend_text(len(left))
    elif of is Kind.LIST or of is Kind.MAP:
        return _same_inside(left, right, scope)
    return bool(left == right)


def _same_inside(left: Any, right: Any, scope: Scope) -> bool:
    """Equality of two lists or two maps, without recursion: events may be nested deeper than Python's
    stack."""
    waiting = [(left, right)]
    while waiting:
        one, other = waiting.pop()
        of = kind(one)
        if of is not kind(other):
            return False
        if of is Kind.LIST:
            if len(one) != len(other):
                return False
            scope.spend(len(one))
            waiting.extend(zip(one, other, strict=True))
        elif of is Kind.MAP:
            if one.keys() != other.keys():
                return False
            scope.spend(len(one))
            waiting.extend((value, other[key]) for key, value in one.items())
        elif not same(one, other, scope):
            return False
    return True


_ORDERED = frozenset({Kind.NUMBER, Kind.TEXT, Kind.TIMESTAMP, Kind.DURATION})


def ordered(left: Any, right: Any, scope: Scope) -> bool:
    """Whether < and its like have a meaning between the two; where they have none, the comparison is
    false."""
    of = kind(left)
    if of is not kind(right) or of not in _ORDERED:
        return False
    if of is Kind.TEXT:
        scope.spend_text(min(len(left), len(right)))
    return True


def contained(item: Any, container: Any, scope: Scope) -> bool:
    """`item in container`: an element of a list or a key of a map; nothing is in null. Raises EvaluationError
    for the rest."""
    of = kind(container)
    if of is Kind.LIST:
        scope.spend(len(container))
        if type(item) is str:
            scope.spend_text(len(item) * len(container))
            # Where one side is a string, Python's equality agrees with ours, and is quicker.
            return item in container
        return any(same(item, element, scope) for element in container)
    if of is Kind.MAP:
        return kind(item) is Kind.TEXT and item in container
    if of is Kind.NULL:
        return False
    hint = "; for a text in a text write text.contains('…')" if of is Kind.TEXT else ""
    raise EvaluationError(f"in needs a list or an object on its right, not {of.value}{hint}")


def element(value: Any, key: Any) -> Any:
    """The field or element under `key`; null where there is none, whatever the value is."""
    if isinstance(value, dict):
        return value.get(key) if isinstance(key, str) else None
    if isinstance(value, list):
        at = position(key)
        return value[at] if at is not None and 0 <= at < len(value) else None
    return None


def present(value: Any, key: Any) -> bool:
    """Whether there is a field or element under `key`, be it null."""
    if isinstance(value, dict):
        return isinstance(key, str) and key in value
    if isinstance(value, list):
        at = position(key)
        return at is not None and 0 <= at < len(value)
    return False


def position(key: Any) -> int | None:
    """The list position that a key names: an integer, or a double with an integer's value."""
    if type(key) is int:
        return key
    return int(key) if type(key) is float and key.is_integer() else None
