"""Flow control, as a function asks for it. Names and forms are those of the Inngest SDK for Python; docs/FLOW.md says
what each does."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from datetime import timedelta
from typing import Any, Literal

from pydantic import ValidationError

from chalicelib.core.durations import format_duration, parse_duration
from chalicelib.core.errors import InvalidDuration, InvalidFunction
from chalicelib.core.flow_control import Flow

Period = int | timedelta | str
"""Milliseconds, a timedelta, or a text such as "1h30m"."""


@dataclass(frozen=True)
class Concurrency:
    """At most `limit` steps run at once: of the function, or of all that share the `key` (`scope` "env" or "account",
    which are the same here).

    `key` is an expression on `event`; each of its values has places of its own. What finds no place waits in order.
    """

    limit: int
    key: str | None = None
    scope: Literal["fn", "env", "account"] | None = None


@dataclass(frozen=True)
class Priority:
    """`run`, an expression on `event`, gives the seconds by which a run is ahead of others that wait (negative:
    behind), -600 to 600."""

    run: str


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """At most `limit` runs start in any `period` (1 s to 24 h), of each value of `key`; what is more is dropped."""

    limit: int
    period: Period
    key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Throttle:
    """Runs begin evenly spaced, `limit` in each `period` (1 s to 7 d), of each value of `key`; up to `burst` begin at
    once. What is more begins later."""

    limit: int
    period: Period
    key: str | None = None
    burst: int | None = 1


@dataclass(frozen=True, kw_only=True)
class Singleton:
    """One run at a time, of each value of `key`. What would start while one has not ended is skipped, or (`mode`
    "cancel") the one before is cancelled."""

    mode: Literal["skip", "cancel"]
    key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """A run is cancelled that has not begun `start` after it was created, or not ended `finish` after it began (from
    1 s to 366 d)."""

    start: Period | None = None
    finish: Period | None = None


@dataclass(frozen=True, kw_only=True)
class Debounce:
    """A run starts with the newest event when none came for `period` (1 s to 7 d), at the latest `timeout` after the
    first, of each value of `key`."""

    period: Period
    key: str | None = None
    timeout: Period | None = None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A run starts with up to `max_size` events (2 to 100), or those that came within `timeout` of the first (1 s to
    7 d, one minute by default), of each value of `key`. An event for which `if_exp` is not true starts a run of its
    own."""

    max_size: int
    timeout: Period | None = None
    key: str | None = None
    if_exp: str | None = None


def flow(what: str, **given: Any) -> Flow | None:
    """The parts that are given, checked. Raises InvalidFunction, naming the part and its field."""
    used = {name: _plain(part, f"{what}: {name}") for name, part in given.items() if part is not None}
    if not used:
        return None
    try:
        return Flow(**used)
    except ValidationError as error:
        raise InvalidFunction(f"{what}: " + "; ".join(_explain(problem) for problem in error.errors()[:5])) from None


_PERIODS = frozenset({"period", "timeout", "start", "finish"})


def _plain(part: Any, where: str) -> Any:
    if isinstance(part, list | tuple):
        return [_plain(one, where) for one in part]
    if not is_dataclass(part) or isinstance(part, type):
        return part
    found = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if value is not None:
            found[field.name] = _duration(value, f"{where}.{field.name}") if field.name in _PERIODS else value
    return found


def _duration(value: object, where: str) -> str:
    try:
        return format_duration(parse_duration(value))  # type: ignore[arg-type]
    except (InvalidDuration, AttributeError) as error:
        raise InvalidFunction(f"{where}: {error}") from None


_NAMES = {"batchEvents": "batch_events", "rateLimit": "rate_limit", "maxSize": "max_size", "if": "if_exp"}


def in_python(message: str) -> str:
    """A message that names parts of flow control as they are named on the wire, in the names of the arguments."""
    for wire in ("batchEvents", "rateLimit"):
        message = message.replace(wire, _NAMES[wire])
    return message


def _explain(problem: Any) -> str:
    place = ".".join(_NAMES.get(str(part), str(part)) for part in problem["loc"])
    message = in_python(str(problem["msg"]).removeprefix("Value error, "))
    got = problem["input"]
    shown = "" if isinstance(got, dict | list | Flow) else f" (got {str(got)[:80]!r})"
    return f"{place}: {message}{shown}" if place else message
