"""Triggers: which functions an event starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.core.errors import InvalidFunction, UserError
from chalicelib.core.expressions import compile_expression
from chalicelib.core.limits import MAX_EVENT_NAME_CHARS

from .conditions import truth

_ROOTS = frozenset({"event"})


def trigger_matches(expression: str | None, event: Mapping[str, Any]) -> tuple[bool, str | None]:
    """Whether a trigger's expression, which sees only `event`, is true; and what went wrong, or None. Never
    raises."""
    if expression is None or not expression.strip():
        return True, None
    try:
        compiled = compile_expression(expression, roots=_ROOTS)
    except UserError as error:
        return False, str(error)
    result = truth(compiled.evaluate({"event": event}))
    return result.value, result.error


def event_name_matches(pattern: str, name: str) -> bool:
    """Whether a trigger's pattern names this event: exactly, or by `a/*` or `a.*`, where * is any text but
    none."""
    if pattern.endswith(("/*", ".*")):
        return len(name) >= len(pattern) and name.startswith(pattern[:-1])
    return pattern == name


def validate_event_pattern(pattern: str) -> None:
    """Check a trigger's event name or pattern; raises InvalidFunction."""
    if not isinstance(pattern, str) or not pattern:
        raise InvalidFunction("a trigger needs the name of an event")
    if len(pattern) > MAX_EVENT_NAME_CHARS:
        raise InvalidFunction(f"the event name has {len(pattern)} characters; the limit is {MAX_EVENT_NAME_CHARS}")
    if pattern != pattern.strip() or not pattern.isprintable():
        raise InvalidFunction(f"the event name {pattern!r} has spaces around it or characters that cannot be seen")
    body = pattern[:-2] if pattern.endswith(("/*", ".*")) else pattern
    if not body or "*" in body:
        raise InvalidFunction(f"the pattern {pattern!r} is not supported: * stands only at the end, as in a/* or a.*")
