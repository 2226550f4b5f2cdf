"""Partial evaluation: what a condition says once the event that started the run is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.core.expressions.program import compile_program
from chalicelib.core.expressions.syntax import (
    And,
    Call,
    Compare,
    Conditional,
    Const,
    Has,
    Macro,
    Node,
    Not,
    Or,
    children,
    free_roots,
    rebuild,
    walk,
)
from chalicelib.core.expressions.values import EvaluationError, ExhaustedError, Scope


def fold(node: Node, known: Mapping[str, Any]) -> Node:
    """The same condition with all that the known roots decide worked out; no path of a known root is left.

    It has the same value as before for every value of the unknown roots, and an error where there was one:
    what fails now stays as it is, to fail again (or to be outweighed by && or ||) when the condition is
    evaluated.
    """
    return _Folder(dict(known)).fold(node)


class _Folder:
    def __init__(self, known: dict[str, Any]) -> None:
        self.known = known
        self.scope = Scope(dict(known))  # One for all parts, so that folding is bounded as a whole.

    def fold(self, node: Node) -> Node:
        if isinstance(node, Const):
            return node
        if free_roots(node) <= self.known.keys() and (value := self._value(node)) is not None:
            return value
        if isinstance(node, Call) and node.name == "matches":
            return Call(node.name, (self.fold(node.arguments[0]), node.arguments[1]))
        folded = _simplified(rebuild(node, tuple(self.fold(part) for part in children(node))))
        # A part that was decided may have been the last that named an unknown root.
        if not isinstance(folded, Const) and not free_roots(folded):
            return self._value(folded) or folded
        return folded

    def _value(self, node: Node) -> Const | None:
        try:
            value = compile_program(node)(self.scope)
        except (EvaluationError, ExhaustedError):
            return None
        # Moments and spans are not JSON, so the calls that make them stay; inside a list they would go
        # unseen.
        timed = any(isinstance(part, Call) and part.name in ("timestamp", "duration") for part in walk(node))
        plain = (str, int, float, bool, type(None)) if timed else (str, int, float, bool, type(None), list, dict)
        return Const(value) if isinstance(value, plain) else None


def _simplified(node: Node) -> Node:
    """Drop what constants decide in && || and ?:, without changing the value or whether there is an error."""
    match node:
        case And(items):
            return _logical(items, decisive=False)
        case Or(items):
            return _logical(items, decisive=True)
        case Conditional(Const(True), then, _):
            return then
        case Conditional(Const(False), _, otherwise):
            return otherwise
    return node


def _logical(items: tuple[Node, ...], decisive: bool) -> Node:
    if any(isinstance(item, Const) and item.value is decisive for item in items):
        return Const(decisive)
    kept = tuple(item for item in items if not (isinstance(item, Const) and item.value is (not decisive)))
    if len(kept) == 1 and is_boolean(kept[0]):
        return kept[0]
    if len(kept) < 2:
        kept = (*kept, Const(not decisive))
    return Or(kept) if decisive else And(kept)


def is_boolean(node: Node) -> bool:
    """Whether the node can only give true, false or an error."""
    match node:
        case And() | Or() | Not() | Compare() | Has():
            return True
        case Const(value):
            return isinstance(value, bool)
        case Macro(name):
            return name in ("all", "exists", "exists_one")
        case Call(name):
            return name in ("startsWith", "endsWith", "contains", "matches", "bool")
    return False
