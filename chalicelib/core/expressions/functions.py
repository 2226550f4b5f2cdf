"""The functions and operators that an expression can use, on plain values. Each raises EvaluationError with a
text for the user."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from .limits import MAX_LIST, MAX_TEXT
from .times import SECOND, Duration, Timestamp, parse_duration, parse_timestamp
from .values import EvaluationError, Kind, Scope, kind

Function = Callable[..., Any]
"""Takes the scope and the arguments."""

_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
_NUMBER_TEXT = 40  # Characters: more than any number in range needs; longer digits are not read in vain.
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# What Unicode calls white space; Python's own strip takes four control characters more.
_SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}


def _text_test(name: str, test: Callable[[str, str], bool]) -> Function:
    def run(scope: Scope, text: Any, part: Any) -> bool:
        if kind(text) is not Kind.TEXT or kind(part) is not Kind.TEXT:
            hint = "; for an element of a list write: value in list" if kind(text) is Kind.LIST else ""
            raise EvaluationError(f"{name} needs two strings, not {kind(text).value} and {kind(part).value}{hint}")
        scope.spend_text(len(text))
        return test(text, part)

    return run


def _text_change(name: str, change: Callable[[str], str]) -> Function:
    def run(scope: Scope, text: Any) -> str:
        if kind(text) is not Kind.TEXT:
            raise EvaluationError(f"{name} needs a string, not {kind(text).value}")
        scope.spend_text(len(text))
        return change(text)

    return run


def _date_part(name: str, of_moment: Callable[[Timestamp], int], unit: int | None = None) -> Function:
    """A part of a timestamp in UTC; of a duration, the whole units in it, where there are such."""

    def run(_: Scope, value: Any) -> int:
        if isinstance(value, Timestamp):
            return of_moment(value)
        if isinstance(value, Duration) and unit is not None:
            return _truncated(value.nanoseconds, unit)
        raise EvaluationError(f"{name} needs a timestamp, not {kind(value).value}; write timestamp(…).{name}()")

    return run


def _truncated(dividend: int, divisor: int) -> int:
    """Division towards zero."""
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def _size(_: Scope, value: Any) -> int:
    if kind(value) not in (Kind.TEXT, Kind.LIST, Kind.MAP):
        raise EvaluationError(f"size needs a string, a list or an object, not {kind(value).value}")
    return len(value)


def bounded_int(value: int) -> int:
    """The integer, if it has 64 bits; raises EvaluationError. Data may hold larger ones, but computing with
    them is refused."""
    if not _INT_MIN <= value <= _INT_MAX:
        raise EvaluationError("the result is no 64-bit integer")
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise EvaluationError("the result is no finite number")
    return value


def _int(_: Scope, value: Any) -> int:
    match kind(value):
        case Kind.NUMBER:
            return bounded_int(int(_finite(value) if isinstance(value, float) else value))
        case Kind.TEXT if _reads(_INTEGER, value):
            return bounded_int(int(value))
        case Kind.TIMESTAMP:
            return int(value.nanoseconds // SECOND)
    raise EvaluationError(f"int cannot read {_shown(value)}")


def _reads(number: re.Pattern[str], text: str) -> bool:
    return len(text) <= _NUMBER_TEXT and number.fullmatch(text) is not None


def _double(_: Scope, value: Any) -> float:
    try:
        if kind(value) is Kind.NUMBER:
            return _finite(float(value))
        if kind(value) is Kind.TEXT and _reads(_DECIMAL, value):
            return _finite(float(value))
    except OverflowError:
        pass
    raise EvaluationError(f"double cannot read {_shown(value)}")


def _string(_: Scope, value: Any) -> str:
    match kind(value):
        case Kind.TEXT:
            return str(value)
        case Kind.BOOL:
            return "true" if value else "false"
        case Kind.NUMBER:
            return _number_text(value)
        case Kind.TIMESTAMP | Kind.DURATION:
            return str(value)
    raise EvaluationError(f"string cannot write {kind(value).value}")


def _number_text(value: int | float) -> str:
    """The same text for the same number: 1 and 1.0 are one value, so both are written 1."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if abs(value) >> 1024:  # Python refuses to write thousands of digits, and takes quadratic time for them.
        raise EvaluationError("string cannot write an integer of more than 1024 bits")
    return str(value)


def _bool(_: Scope, value: Any) -> bool:
    if kind(value) is Kind.BOOL:
        return bool(value)
    if kind(value) is Kind.TEXT and (value in _TRUE or value in _FALSE):
        return value in _TRUE
    raise EvaluationError(f"bool cannot read {_shown(value)}")


def _timestamp(_: Scope, value: Any) -> Timestamp:
    try:
        match kind(value):
            case Kind.TIMESTAMP:
                return value  # type: ignore[no-any-return]
            case Kind.TEXT:
                return parse_timestamp(value)
            case Kind.NUMBER if not isinstance(value, float):
                return Timestamp(value * SECOND)
            case Kind.NUMBER if math.isfinite(value):
                return Timestamp(int(value * SECOND))
    except (ValueError, OverflowError) as error:
        raise EvaluationError(f"timestamp cannot read {_shown(value)}: {error}") from None
    raise EvaluationError(f"timestamp needs a string or a number of seconds, not {kind(value).value}")


def _duration(_: Scope, value: Any) -> Duration:
    try:
        if isinstance(value, Duration):
            return value
        if kind(value) is Kind.TEXT:
            return parse_duration(value)
    except ValueError as error:
        raise EvaluationError(f"duration cannot read {_shown(value)}: {error}") from None
    raise EvaluationError(f"duration needs a string, not {kind(value).value}")


def _shown(value: Any) -> str:
    """A short text repeated, everything else named by its kind: an error must not carry a whole event."""
    return repr(value) if kind(value) is Kind.TEXT and len(value) <= _NUMBER_TEXT else kind(value).value


FUNCTIONS: dict[str, Function] = {
    "startsWith": _text_test("startsWith", str.startswith),
    "endsWith": _text_test("endsWith", str.endswith),
    "contains": _text_test("contains", lambda text, part: part in text),
    "lowerAscii": _text_change("lowerAscii", lambda text: text.translate(_LOWER)),
    "upperAscii": _text_change("upperAscii", lambda text: text.translate(_UPPER)),
    "trim": _text_change("trim", lambda text: text.strip(_SPACES)),
    "size": _size,
    "int": _int,
    "double": _double,
    "string": _string,
    "bool": _bool,
    "timestamp": _timestamp,
    "duration": _duration,
    "getFullYear": _date_part("getFullYear", lambda t: t.utc().year),
    "getMonth": _date_part("getMonth", lambda t: t.utc().month - 1),
    "getDate": _date_part("getDate", lambda t: t.utc().day),
    "getDayOfMonth": _date_part("getDayOfMonth", lambda t: t.utc().day - 1),
    "getDayOfWeek": _date_part("getDayOfWeek", lambda t: t.utc().isoweekday() % 7),
    "getDayOfYear": _date_part("getDayOfYear", lambda t: t.utc().timetuple().tm_yday - 1),
    "getHours": _date_part("getHours", lambda t: t.utc().hour, 3_600 * SECOND),
    "getMinutes": _date_part("getMinutes", lambda t: t.utc().minute, 60 * SECOND),
    "getSeconds": _date_part("getSeconds", lambda t: t.utc().second, SECOND),
    "getMilliseconds": _date_part("getMilliseconds", lambda t: t.utc().microsecond // 1000),
}


def arithmetic(operator: str, left: Any, right: Any, scope: Scope) -> Any:
    """One of + - * / % between two values; raises EvaluationError."""
    one, other = kind(left), kind(right)
    if one is Kind.NUMBER and other is Kind.NUMBER:
        return _numbers(operator, left, right)
    if operator == "+" and one is other and one in (Kind.TEXT, Kind.LIST):
        return _joined(left, right, scope)
    if operator in "+-" and {one, other} <= {Kind.TIMESTAMP, Kind.DURATION}:
        return _times(operator, left, right)
    raise EvaluationError(f"{operator} has no meaning between {one.value} and {other.value}")


def _numbers(operator: str, left: int | float, right: int | float) -> int | float:
    if operator in "/%" and right == 0:
        raise EvaluationError("division by zero")
    if isinstance(left, int) and isinstance(right, int):
        return bounded_int(_integers(operator, left, right))
    try:
        match operator:
            case "+":
                return _finite(left + right)
            case "-":
                return _finite(left - right)
            case "*":
                return _finite(left * right)
            case "/":
                return _finite(left / right)
    except OverflowError:
        raise EvaluationError("the result is no finite number") from None
    raise EvaluationError("% needs two integers")


def _integers(operator: str, left: int, right: int) -> int:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return _truncated(left, right)
    return left - right * _truncated(left, right)


def _joined(left: Any, right: Any, scope: Scope) -> Any:
    total = len(left) + len(right)
    if isinstance(left, str):
        if total > MAX_TEXT:
            raise EvaluationError(f"the joined string has {total} characters; the limit is {MAX_TEXT}")
        scope.spend_text(total)
    else:
        if total > MAX_LIST:
            raise EvaluationError(f"the joined list has {total} elements; the limit is {MAX_LIST}")
        scope.spend(total)
    return left + right


def _times(operator: str, left: Timestamp | Duration, right: Timestamp | Duration) -> Timestamp | Duration:
    sign = 1 if operator == "+" else -1
    total = left.nanoseconds + sign * right.nanoseconds
    moments = isinstance(left, Timestamp) + sign * isinstance(right, Timestamp)
    try:
        if moments == 0:  # Two durations, or the difference of two moments.
            return Duration(total)
        if moments == 1:
            return Timestamp(total)
    except ValueError as error:
        raise EvaluationError(str(error)) from None
    raise EvaluationError(f"{operator} has no meaning between {kind(left).value} and {kind(right).value}")
