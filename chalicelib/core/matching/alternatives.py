"""What must be equal for a condition to be true: its disjunctive normal form, reduced to the equalities an
index can use.

Everything here may only weaken a condition, never strengthen it: whenever the condition is true, at least one
of its alternatives is met. (It is evaluated as a whole for every candidate, so weakening costs time, not
correctness.)
"""

from __future__ import annotations

from typing import Any

from chalicelib.core.expressions.render import render_path
from chalicelib.core.expressions.syntax import And, Compare, Conditional, Const, Node, Not, Or, Path

from .shapes import ROOT, canonical

MAX_ROWS = 8

Equalities = dict[str, Any]
"""Canonical path to the scalar that it must have; empty: nothing is known."""

_ANYTHING: list[Equalities] = [{}]


def alternatives(node: Node) -> list[Equalities]:
    """At most MAX_ROWS alternatives, one of which is met whenever the node is true; none if it never is."""
    return _alternatives(node, True)


def _alternatives(node: Node, wanted: bool) -> list[Equalities]:
    """The alternatives for the node being `wanted`. An error is neither true nor false, so it needs none."""
    match node:
        case Not(operand):
            return _alternatives(operand, not wanted)
        case And(items) | Or(items):
            parts = [_alternatives(item, wanted) for item in items]
            return _all(parts) if isinstance(node, And) is wanted else _any(parts)
        case Conditional(test, then, otherwise):
            yes = _all([_alternatives(test, True), _alternatives(then, wanted)])
            no = _all([_alternatives(test, False), _alternatives(otherwise, wanted)])
            return _any([yes, no])
        case Compare(operator, left, right):
            return _comparison(operator, left, right, wanted)
        case Const(value):
            return _ANYTHING if value is wanted else []
        case Path():
            return _equal(node, wanted)
    return _ANYTHING


def _comparison(operator: str, left: Node, right: Node, wanted: bool) -> list[Equalities]:
    if operator == ("==" if wanted else "!="):
        if isinstance(left, Const):
            return _equal(right, left.value)
        return _equal(left, right.value) if isinstance(right, Const) else _ANYTHING
    if operator == "in" and wanted and isinstance(right, Const) and isinstance(right.value, list):
        return _any([_equal(left, value) for value in right.value])
    return _ANYTHING


def _equal(node: Node, value: Any) -> list[Equalities]:
    if value != value:
        return []  # NaN equals nothing, whatever the node is.
    if isinstance(node, Path) and node.root == ROOT and canonical(value) is not None:
        return [{render_path(node.root, node.keys): value}]
    return _ANYTHING


def _any(parts: list[list[Equalities]]) -> list[Equalities]:
    """One of the parts is met: all their alternatives, or anything if these are too many."""
    together: dict[Any, Equalities] = {}
    for part in parts:
        for equalities in part:
            if not equalities:
                return _ANYTHING
            together[_identity(equalities)] = equalities
    return list(together.values()) if len(together) <= MAX_ROWS else _ANYTHING


def _all(parts: list[list[Equalities]]) -> list[Equalities]:
    """All parts are met: their combinations. A part that would make too many is left to the evaluation."""
    combined = _ANYTHING
    for part in sorted(parts, key=len):
        joined = {}
        for one in combined:
            for other in part:
                if _compatible(one, other):
                    both = {**one, **other}
                    joined[_identity(both)] = both
        if len(joined) <= MAX_ROWS:
            combined = list(joined.values())
    return combined


def _compatible(one: Equalities, other: Equalities) -> bool:
    """Whether no path would have to have two values."""
    return all(canonical(one[path]) == canonical(value) for path, value in other.items() if path in one)


def _identity(equalities: Equalities) -> frozenset[tuple[str, str | None]]:
    return frozenset((path, canonical(value)) for path, value in equalities.items())
