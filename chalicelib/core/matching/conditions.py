"""Conditions as they are stored: the text with its values lifted out, so that waits that differ only in
values share a program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from chalicelib.core.errors import InvalidExpression
from chalicelib.core.expressions import STORED_LIMITS, Evaluation, Expression, compile_expression
from chalicelib.core.expressions.render import render
from chalicelib.core.expressions.syntax import Call, Const, Has, Node, Path, children, rebuild

MAX_PARAMS_BYTES = 16_384
"""What the values of one condition may take when stored: its rows are written with every wait."""

_VERSION = 1
PARAMS = "_"
"""The root under which a template names its values: _[0], _[1], …"""
_ROOTS = frozenset({"async", PARAMS})
_CACHED = 1024


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold for an incoming event.

    Attributes: `template`, an expression over `async` and the list `_` of the lifted values; `params`, those
    values (JSON).
    """

    template: str
    params: tuple[Any, ...]

    def to_json(self) -> dict[str, Any]:
        """The stored form. The values travel as one JSON text, so that no store rounds or retypes a
        number."""
        return {"v": _VERSION, "expression": self.template, "params": json.dumps(self.params)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Condition:
        """Read what to_json made. What cannot be read makes a condition that never holds and says so: never
        raises."""
        try:
            if stored["v"] == _VERSION:
                return cls(str(stored["expression"]), tuple(json.loads(stored["params"])))
        except (KeyError, TypeError, ValueError, RecursionError):
            pass
        return cls("", ())


def lift(node: Node) -> Condition:
    """Split a folded condition into its template and its values; raises InvalidExpression if these are too
    large."""
    params: list[Any] = []
    template = render(_lifted(node, params))
    try:
        size = len(json.dumps(params))
    except (ValueError, RecursionError):
        raise InvalidExpression("a value that the condition takes from the event cannot be stored as JSON") from None
    if size > MAX_PARAMS_BYTES:
        raise InvalidExpression(
            f"the values that the condition takes from the event have {size} bytes; "
            f"the limit is {MAX_PARAMS_BYTES} bytes"
        )
    return Condition(template, tuple(params))


def _lifted(node: Node, params: list[Any]) -> Node:
    match node:
        case Const(value):
            params.append(value)
            return Path(PARAMS, (len(params) - 1,))
        case Call("matches", (text, pattern)):
            return Call("matches", (_lifted(text, params), pattern))
        case Has(Path(), Const(str())):
            return node
    return rebuild(node, tuple(_lifted(part, params) for part in children(node)))


def condition_holds(condition: Condition | None, event: Mapping[str, Any]) -> Evaluation:
    """Whether the incoming event meets the condition: `value` is always a boolean. No condition holds for
    every event."""
    if condition is None:
        return Evaluation(True)
    if not condition.template:
        return Evaluation(False, "the stored condition cannot be read")
    try:
        expression = condition_expression(condition.template)
    except InvalidExpression as error:
        return Evaluation(False, f"the stored condition cannot be read: {error}")
    return truth(expression.evaluate({"async": event, PARAMS: list(condition.params)}))


def truth(evaluation: Evaluation) -> Evaluation:
    """The evaluation of a condition as a boolean: what is not true is false, and what is no boolean is an
    error."""
    if evaluation.error is not None or isinstance(evaluation.value, bool):
        return Evaluation(evaluation.value is True, evaluation.error)
    return Evaluation(False, "the condition gives no boolean")


@lru_cache(maxsize=_CACHED)
def condition_expression(template: str) -> Expression:
    """The compiled template, shared by all conditions that have it; raises InvalidExpression."""
    return compile_expression(template, roots=_ROOTS, limits=STORED_LIMITS)


def condition_cache_info() -> Any:
    """The counters of the cache of templates (functools' hits, misses, maxsize, currsize)."""
    return condition_expression.cache_info()
