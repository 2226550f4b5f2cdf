"""Triggers: names, wildcards and expressions."""

from __future__ import annotations

import pytest

from chalicelib.core.errors import InvalidFunction
from chalicelib.core.matching import event_name_matches, trigger_matches, validate_event_pattern


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/bc", False),
        ("a/*", "a/b", True),
        ("a/*", "a/b/c.d", True),
        ("a/*", "a/", False),
        ("a/*", "a", False),
        ("a/*", "ab/c", False),
        ("a.*", "a.b", True),
        ("a.*", "a/b", False),
        ("a.b.*", "a.b.c", True),
        ("a.b.*", "a.c", False),
        ("a/*", "a/*", True),
    ],
)
def test_names(pattern: str, name: str, matches: bool) -> None:
    assert event_name_matches(pattern, name) is matches


@pytest.mark.parametrize("pattern", ["a", "a/b.c", "a/*", "a.*", "app/order paid", "inngest/function.failed"])
def test_good_patterns(pattern: str) -> None:
    validate_event_pattern(pattern)


@pytest.mark.parametrize("pattern", ["", "*", "/*", ".*", "a*", "a/*/b", "a/**", "*/a", " a", "a\n", "x" * 257, None])
def test_bad_patterns(pattern: str) -> None:
    with pytest.raises(InvalidFunction):
        validate_event_pattern(pattern)


@pytest.mark.parametrize(
    ("expression", "matches", "error"),
    [
        (None, True, None),
        (" ", True, None),
        ("event.data.plan == 'pro'", True, None),
        ("event.data.plan == 'free'", False, None),
        ("event.data.plan", False, "the condition gives no boolean"),
        ("1 / 0 == 1", False, "division by zero"),
        ("async.data.x == 1", False, "unknown name 'async'"),
        ("event.data.plan ==", False, "ends too early"),
    ],
)
def test_expressions(expression: str | None, matches: bool, error: str | None) -> None:
    result, reason = trigger_matches(expression, {"data": {"plan": "pro"}})
    assert result is matches
    assert (reason is None) if error is None else (error in (reason or ""))
