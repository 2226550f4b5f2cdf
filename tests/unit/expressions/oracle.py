"""Google's CEL (C++, cel-expr-python) as an oracle: one expression, evaluated by it and by us, in comparable form."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.core.expressions.program import compile_program
from chalicelib.core.expressions.syntax import Node
from chalicelib.core.expressions.times import Duration, Timestamp
from chalicelib.core.expressions.values import EvaluationError, ExhaustedError, Scope

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NAMES = ("event", "async", "x", "y", "z")


@dataclass(frozen=True)
class Outcome:
    """A value, or the text of an error; `refused`: the expression could not even be read."""

    value: Any = None
    error: str | None = None
    refused: bool = False


@functools.cache
def _environment() -> Any:
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_strings

    names = dict.fromkeys(_NAMES, cel.Type.DYN)
    return cel.NewEnv(variables=names, extensions=[ext_strings.ExtStrings()])


def theirs(text: str, variables: Mapping[str, Any]) -> Outcome:
    """What C++ CEL says. Types are not checked beforehand: an event has none."""
    try:
        program = _environment().compile(text, disable_check=True)
    except RuntimeError as error:
        return Outcome(error=str(error), refused=True)
    result = program.eval(data={name: _given(value) for name, value in variables.items()})
    if result.type().name() == "ERROR":
        return Outcome(error=str(result.plain_value()))
    return Outcome(result.plain_value())


def ours(node: Node, variables: Mapping[str, Any]) -> Outcome:
    """What we say, before moments and spans become texts."""
    try:
        return Outcome(compile_program(node)(Scope(dict(variables))))
    except (EvaluationError, ExhaustedError) as error:
        return Outcome(error=str(error))


def _given(value: Any) -> Any:
    """One of our values as theirs: what a macro's variable may hold."""
    match value:
        case Timestamp(nanoseconds):
            return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
        case Duration(nanoseconds):
            return timedelta(microseconds=nanoseconds // 1000)
        case list():
            return [_given(item) for item in value]
    return value


def agree(one: Outcome, other: Outcome) -> bool:
    """Both fail, or both give the same value of the same type."""
    if one.error is not None or other.error is not None:
        return one.error is not None and other.error is not None
    return bool(_form(one.value) == _form(other.value))


def _form(value: Any) -> Any:
    """A text or tree that tells types apart; moments and spans to the microsecond, as Python has them."""
    match value:
        case Timestamp(nanoseconds):
            return "moment", nanoseconds // 1000
        case Duration(nanoseconds):
            return "span", nanoseconds // 1000
        case datetime():
            return "moment", (value - _EPOCH) // _MICROSECOND
        case timedelta():
            return "span", value // _MICROSECOND
        case float():
            return "double", "nan" if math.isnan(value) else value.hex()
        case list():
            return [_form(item) for item in value]
        case dict():
            return {key: _form(item) for key, item in value.items()}
    return type(value).__name__, value
