"""Why an event did not meet a condition, for the event's audit (law 7)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.core.errors import InvalidExpression
from chalicelib.core.expressions import MAX_STEPS, compile_expression
from chalicelib.core.expressions.program import compile_program
from chalicelib.core.expressions.render import render, render_path, storable
from chalicelib.core.expressions.syntax import And, Const, Node, Path, children, rebuild, walk
from chalicelib.core.expressions.values import EvaluationError, ExhaustedError, Scope, element, present

from .conditions import PARAMS, Condition, condition_expression
from .shapes import ROOT

_LONGEST_TEXT = 200  # Characters of a part of the condition.
_LONGEST_VALUE = 60
_MOST_VALUES = 3
_MOST_BITS = 1024


def explain_miss(condition: Condition | None, event: Mapping[str, Any]) -> tuple[str, ...]:
    """A line for each && part of the condition that the incoming event does not meet, with the values that it has.

    Such as `async.data.plan == "pro" is false: async.data.plan is "free"`. Empty if the event meets the condition.
    """
    return tuple(Misses(event).of(condition))


class Misses:
    """The same for one event and many conditions, for all of which together it takes so many steps."""

    def __init__(self, event: Mapping[str, Any], steps: int = MAX_STEPS, *, root: str = ROOT) -> None:
        self._event = event
        self._root = root
        self._scope = Scope({root: event}, steps)

    @property
    def is_exhausted(self) -> bool:
        """Whether the steps did not suffice: then the line told last says nothing about its condition."""
        return self._scope.steps < 0

    def of(self, condition: Condition | None) -> Iterator[str]:
        """The lines, each worked out when it is asked for."""
        if condition is None:
            return
        try:
            node = _with_values(condition_expression(condition.template).node, condition.params)
        except (InvalidExpression, IndexError):
            yield "the stored condition cannot be read"
            return
        yield from self._lines(node)

    def of_text(self, text: str) -> Iterator[str]:
        """The same of a condition as it was written, over this one event."""
        try:
            node = compile_expression(text, roots=frozenset({self._root})).node
        except InvalidExpression as error:
            yield str(error)
            return
        yield from self._lines(node)

    def _lines(self, node: Node) -> Iterator[str]:
        for part in node.items if isinstance(node, And) else (node,):
            if line := self._line(part):
                yield line

    def _line(self, part: Node) -> str:
        try:
            value = compile_program(part)(self._scope)
            outcome = "is false" if value is False else "gives no boolean"
        except (EvaluationError, ExhaustedError) as error:
            value, outcome = None, f"fails: {error}"
        if value is True:
            return ""
        paths = list(dict.fromkeys(path for path in walk(part) if isinstance(path, Path) and path.root == self._root))
        values = "; ".join(_value(path, self._event) for path in paths[:_MOST_VALUES])
        return f"{_short(render(part), _LONGEST_TEXT)} {outcome}" + (f": {values}" if values else "")


def _with_values(node: Node, params: tuple[Any, ...]) -> Node:
    """The condition with its lifted values put back."""
    if isinstance(node, Path) and node.root == PARAMS:
        return Const(params[int(node.keys[0])])
    return rebuild(node, tuple(_with_values(part, params) for part in children(node)))


def _value(path: Path, event: Mapping[str, Any]) -> str:
    value: Any = event
    for key in path.keys:
        if not present(value, key):
            return f"{render_path(path.root, path.keys)} is missing"
        value = element(value, key)
    if isinstance(value, (list, dict)):  # Not written out: it may be the whole event.
        shown = f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    elif isinstance(value, int) and value.bit_length() > _MOST_BITS:  # Python may refuse to write it.
        shown = f"an integer of {value.bit_length()} bits"
    else:
        shown = json.dumps(value[:_LONGEST_VALUE] if isinstance(value, str) else value, ensure_ascii=False)
    return f"{render_path(path.root, path.keys)} is {_short(shown, _LONGEST_VALUE)}"


def _short(text: str, longest: int) -> str:
    shown = text if len(text) <= longest else text[: longest - 1] + "…"
    return storable(shown)
