"""Expressions: conditions that users write, read safely and evaluated quickly on plain JSON values.

`compile_expression` is the way in; docs/EXPRESSIONS.md says what an expression means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from chalicelib.core.errors import InvalidExpression

from .builder import build
from .grammar import parse
from .limits import MAX_STEPS, STORED_LIMITS, USER_LIMITS, Limits
from .program import compile_program
from .syntax import Call, Macro, Node, Path, walk
from .times import Duration, Timestamp
from .values import EvaluationError, ExhaustedError, Program, Scope

__all__ = [
    "MAX_STEPS",
    "STORED_LIMITS",
    "USER_LIMITS",
    "Evaluation",
    "Expression",
    "Limits",
    "compile_expression",
    "expression_cache_info",
]

DEFAULT_ROOTS = frozenset({"event", "async"})
_CACHED = 1024

CacheInfo = Any  # functools hides the type of its named tuple: hits, misses, maxsize, currsize


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation gave. `value`: a JSON value, None if there was an error; `error`: what went wrong,
    or None."""

    value: Any
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression; may be shared between threads.

    Attributes: `text` as the user wrote it; `node`, its syntax tree; `roots`, the names that it may read;
    `paths`, every path into the data that it names, each once, in the order of the text.
    """

    text: str
    node: Node
    roots: frozenset[str]
    paths: tuple[tuple[str | int, ...], ...]
    _program: Program = field(repr=False, compare=False)
    _times: bool = field(repr=False, compare=False)

    def evaluate(self, variables: Mapping[str, Any], *, steps: int = MAX_STEPS) -> Evaluation:
        """Evaluate on plain JSON values, one per root; a root that is missing reads as null. Never raises.

        `steps` bounds the work. Nothing is converted or copied: only the paths that the expression names are
        read.
        """
        scope = Scope(dict(variables), steps)
        try:
            value = self._program(scope)
        except (EvaluationError, ExhaustedError) as failure:
            return Evaluation(None, str(failure))
        return Evaluation(_plain(value) if self._times else value)

    def matches(self, variables: Mapping[str, Any]) -> bool:
        """Whether the value is true: an error, null or any other value is no match."""
        return self.evaluate(variables).value is True


def compile_expression(text: str, *, roots: frozenset[str] = DEFAULT_ROOTS, limits: Limits = USER_LIMITS) -> Expression:
    """Read an expression that may name the `roots`; raises InvalidExpression, with line and column, for
    whatever is wrong.

    The most recently used expressions are kept.
    """
    if not isinstance(text, str):
        raise InvalidExpression(f"an expression is a text, not {type(text).__name__}")
    return _compile(text, roots, limits)


def expression_cache_info() -> CacheInfo:
    """The counters of the cache of compiled expressions (functools' hits, misses, maxsize, currsize)."""
    return _compile.cache_info()


@lru_cache(maxsize=_CACHED)
def _compile(text: str, roots: frozenset[str], limits: Limits) -> Expression:
    node = build(parse(text, limits), text, roots, limits)
    times = any(isinstance(part, Call) and part.name in ("timestamp", "duration") for part in walk(node))
    return Expression(text, node, roots, _paths(node, roots), compile_program(node), times)


def _paths(node: Node, roots: frozenset[str]) -> tuple[tuple[str | int, ...], ...]:
    variables = {part.variable for part in walk(node) if isinstance(part, Macro)}
    found = {
        (part.root, *part.keys): None
        for part in walk(node)
        if isinstance(part, Path) and part.root in roots - variables
    }
    return tuple(found)


def _plain(value: Any, depth: int = USER_LIMITS.depth) -> Any:
    """The value as JSON has it: moments and spans become their texts.

    Only lists that the expression made can hold them; what lies deeper than it can nest is data, and is left alone.
    """
    if isinstance(value, (Timestamp, Duration)):
        return str(value)
    if isinstance(value, list) and depth:
        return [_plain(item, depth - 1) for item in value]
    return value
