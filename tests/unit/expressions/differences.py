"""Where our meaning differs from CEL's, on purpose: the only list of what a comparison with CEL may excuse.

A difference excuses one node of an expression, whose parts both sides agree on, and only with the outcomes that it
names. `row` stands in docs/EXPRESSIONS.md, which a test holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.core.expressions.render import render
from chalicelib.core.expressions.syntax import (
    Arithmetic,
    Call,
    Compare,
    Const,
    Has,
    Index,
    Macro,
    Negate,
    Node,
    Path,
    children,
)
from chalicelib.core.expressions.times import Duration, Timestamp
from chalicelib.core.expressions.values import Kind, kind

from .oracle import Outcome, agree, ours, theirs

_KEYWORDS = frozenset({"in", "true", "false", "null"})

Variables = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A node on which the two disagree: `parts`, the values of the nodes below it (None where one fails)."""

    node: Node
    parts: tuple[Any, ...]
    ours: Outcome
    theirs: Outcome

    def kinds(self) -> tuple[Kind, ...]:
        return tuple(kind(part) for part in self.parts)

    def calls(self, *names: str) -> bool:
        return isinstance(self.node, Call) and self.node.name in names

    def compares(self, *operators: str) -> bool:
        return isinstance(self.node, Compare) and self.node.operator in operators


@dataclass(frozen=True)
class Difference:
    """Something that we do differently: where it is told, and which cases it excuses."""

    row: str
    excuses: Callable[[Case], bool]


def _missing(case: Case) -> bool:
    absent = ("Key not found", "Index error", "SELECT to non-message", "Invalid container type")
    return (
        isinstance(case.node, (Path, Index))
        and case.ours == Outcome(None)
        and any(reason in (case.theirs.error or "") for reason in absent)
    )


def _large(value: Any, beyond: int) -> bool:
    return any(type(item) is int and not -beyond <= item < beyond for item in _inside(value))


def _inside(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _inside(item)


def _has_double(value: Any) -> bool:
    return any(isinstance(item, float) for item in _inside(value))


def _compared_exactly(case: Case) -> bool:
    parts = list(case.parts)
    return (
        isinstance(case.node, Compare)
        and case.ours.error is case.theirs.error is None
        and _large(parts, 2**53)
        and _has_double(parts)
    )


def _unordered(case: Case) -> bool:
    left, right = case.kinds() if len(case.parts) == 2 else (None, None)
    orderable = {Kind.NUMBER, Kind.TEXT, Kind.TIMESTAMP, Kind.DURATION}
    return (
        case.compares("<", "<=", ">", ">=")
        and case.ours == Outcome(False)
        and (left is not right or left not in orderable)
        and (left is right is Kind.BOOL or "No matching overloads" in (case.theirs.error or ""))
    )


def _mixed(case: Case) -> bool:
    types = {type(part) for part in case.parts}
    return (
        isinstance(case.node, Arithmetic)
        and {int, float} <= types
        and "No matching overloads" in str(case.theirs.error)
    )


def _infinite(case: Case) -> bool:
    doubles = isinstance(case.node, Arithmetic) and all(isinstance(part, float) for part in case.parts)
    return (doubles or case.calls("double")) and case.ours.error is not None and isinstance(case.theirs.value, float)


def _key_beyond_names(case: Case) -> bool:
    if not isinstance(case.node, Has) or not case.theirs.refused:
        return False
    return "has() argument must be a field selection" in str(case.theirs.error)


def _keyword(case: Case) -> bool:
    steps = case.node.keys if isinstance(case.node, Path) else ()
    named = isinstance(case.node, Has) and isinstance(case.node.key, Const) and case.node.key.value in _KEYWORDS
    return (named or not _KEYWORDS.isdisjoint(steps)) and "Syntax error" in str(case.theirs.error)


def _raw_end(case: Case) -> bool:
    return case.theirs.refused and "Invalid string literal: String must end with" in str(case.theirs.error)


def _has_below_plain(case: Case) -> bool:
    plain = isinstance(case.node, Has) and not isinstance(case.parts[0], dict)
    return plain and isinstance(case.ours.value, bool) and case.theirs.error is not None


def _number_text(case: Case) -> bool:
    same = isinstance(case.theirs.value, str) and isinstance(case.ours.value, str)
    return (
        case.calls("string")
        and isinstance(case.parts[0], float)
        and (not math.isfinite(case.parts[0]) or (same and float(case.ours.value) == float(case.theirs.value)))
    )


def _time_text(case: Case) -> bool:
    timed = case.calls("string") and isinstance(case.parts[0], Timestamp | Duration)
    return timed and _trimmed(case.ours.value) == _trimmed(case.theirs.value)


def _trimmed(text: Any) -> str:
    whole, dot, fraction = str(text)[:-1].partition(".")
    return whole + (dot + fraction.rstrip("0")).rstrip(".")


def _lenient_number(case: Case) -> bool:
    text = case.parts[0] if case.calls("int", "double") else None
    spaced = isinstance(text, str) and (text != text.strip() or not text.isascii())
    return spaced and case.ours.error is not None and case.theirs.error is None


def _boolean_as_number(case: Case) -> bool:
    return case.calls("int") and isinstance(case.parts[0], bool) and case.theirs.error is None


def _fractional_seconds(case: Case) -> bool:
    return case.calls("timestamp") and isinstance(case.parts[0], float) and case.theirs.error is not None


def _days(case: Case) -> bool:
    text = case.parts[0] if case.calls("duration") else None
    return isinstance(text, str) and ("d" in text or "µ" in text) and case.theirs.error is not None


def _negated(case: Case) -> bool:
    return isinstance(case.node, Negate) and isinstance(case.parts[0], Duration) and case.ours.error is None


def _milliseconds(case: Case) -> bool:
    return case.calls("getMilliseconds") and isinstance(case.parts[0], Duration) and case.ours.error is not None


def _nothing_in_null(case: Case) -> bool:
    return case.compares("in") and case.parts[1] is None and case.ours == Outcome(False)


def _no_key(case: Case) -> bool:
    scalars = (Kind.TEXT, Kind.NUMBER, Kind.BOOL)
    return case.compares("in") and case.kinds()[1] is Kind.MAP and case.kinds()[0] not in scalars


def _reordered(case: Case) -> bool:
    over_object = isinstance(case.node, Macro) and isinstance(case.parts[0], dict)
    lists = isinstance(case.ours.value, list) and isinstance(case.theirs.value, list)
    return over_object and lists and sorted(map(repr, case.ours.value)) == sorted(map(repr, case.theirs.value))


def _any_size(case: Case) -> bool:
    return isinstance(case.node, Const) and case.theirs.refused and _large(case.node.value, 2**63)


def _remainder(case: Case) -> bool:
    chained = isinstance(case.node, Arithmetic) and any(sign == "%" for sign, _ in case.node.rest)
    return chained and -1 in case.parts and "overflow" in str(case.theirs.error)


DIFFERENCES: dict[str, Difference] = {
    "a missing field is null": Difference("a missing field is null and no error", _missing),
    "no order, no match": Difference("an ordering without a meaning is false and no error", _unordered),
    "mixed arithmetic": Difference("integers and doubles mix in arithmetic", _mixed),
    "finite doubles": Difference("infinities and NaN are never computed", _infinite),
    "integers of any size": Difference("integers of any size are compared", _any_size),
    "exact numbers": Difference("an integer and a double are compared exactly", _compared_exactly),
    "nothing is in null": Difference("`x in null` is false", _nothing_in_null),
    "no key": Difference("what is no string is no key", _no_key),
    "has with brackets": Difference("`has` takes brackets too", _key_beyond_names),
    "keywords": Difference("a keyword may be a field's name", _keyword),
    "has below a plain value": Difference("`has` below a plain value is false", _has_below_plain),
    "texts of numbers": Difference("equal numbers have equal texts", _number_text),
    "texts of times": Difference("the text of a time has no zeros at its end", _time_text),
    "strict numbers": Difference("a number in a text has no spaces around it", _lenient_number),
    "no number is a boolean": Difference("`int` reads no boolean", _boolean_as_number),
    "fractions of seconds": Difference("`timestamp` takes fractions of seconds", _fractional_seconds),
    "days": Difference("durations know days", _days),
    "negated durations": Difference("a duration can be negated", _negated),
    "milliseconds": Difference("`getMilliseconds` is of timestamps only", _milliseconds),
    "order of keys": Difference("macros go through an object's keys in the order of its text", _reordered),
    "raw strings": Difference("a raw string may end with a backslash", _raw_end),
    "least remainder": Difference("the remainder by -1 is 0", _remainder),
}


class UnexplainedError(AssertionError):
    """The two disagree, and nothing on purpose explains it."""


def explain(node: Node, variables: Variables) -> set[str]:
    """The names of the differences that make the two disagree within the node; raises UnexplainedError."""
    below: set[str] = set()
    for part, scope in _parts(node, variables):
        below |= explain(part, scope)
    if below:
        return below  # What differs below decides what is above.
    mine, other = ours(node, variables), theirs(render(node), variables)
    return set() if agree(mine, other) else {excuse(node, variables, mine, other)}


def excuse(node: Node, variables: Variables, mine: Outcome, other: Outcome) -> str:
    """The difference that lies in this node; raises UnexplainedError."""
    case = Case(node, tuple(ours(part, variables).value for part in children(node)[: _own(node)]), mine, other)
    for name, difference in DIFFERENCES.items():
        if difference.excuses(case):
            return name
    raise UnexplainedError(f"{render(node)}\nwith {variables}\nours:   {mine}\ntheirs: {other}")


def _own(node: Node) -> int | None:
    """How many of the node's parts have a value without an element of a macro."""
    return 1 if isinstance(node, Macro) else None


def _parts(node: Node, variables: Variables) -> Iterator[tuple[Node, Variables]]:
    """What lies directly below, each with the variables that it sees: a macro's body once for each element."""
    if not isinstance(node, Macro):
        yield from ((part, variables) for part in children(node))
        return
    yield node.source, variables
    source = ours(node.source, variables).value
    for element in source if isinstance(source, list | dict) else ():
        yield from ((part, {**variables, node.variable: element}) for part in node.body)
