"""What the best public engine of this kind gets wrong: events that it misses, and events that it lets through."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.expressions import compile_expression
from chalicelib.core.matching import condition_holds, lookup_key, plan_wait

TRIGGER: dict[str, Any] = {"data": {"id": "u-1", "n": 100, "ids": ["a", 'b"c'], "none": None}}

# The condition, an event that meets it, and one that does not.
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # One side of || is an equality, the other is too: each must be found without the other.
    ('async.data.a == "1" || async.data.flag == true', {"flag": True}, {"a": "2", "flag": False}),
    ('async.data.a == "1" || async.data.flag == true', {"a": "1"}, {"a": 1}),
    ('async.data.a == "1" || async.data.flag == true', {"a": "1", "flag": False}, {"flag": "true"}),
    ('async.data.flag || async.data.a == "1"', {"flag": True, "a": "2"}, {"flag": 1}),
    ("(async.data.a == 1 || async.data.b == 1) && async.data.c == 1", {"b": 1, "c": 1}, {"a": 1, "b": 1}),
    ("async.data.a == 1 && async.data.b == 1 || async.data.c == 1", {"c": 1}, {"a": 1}),
    # A negation of several.
    ("!(async.data.a && async.data.b)", {"a": True, "b": False}, {"a": True, "b": True}),
    ("!(async.data.a == 1 && async.data.b == 2)", {"a": 1, "b": 1}, {"a": 1, "b": 2}),
    ("!(async.data.a == 1 || async.data.b == 2)", {"a": 2, "b": 1}, {"a": 2, "b": 2}),
    ("!(async.data.a != event.data.id)", {"a": "u-1"}, {"a": "u-2"}),
    ("!!(async.data.a == 1)", {"a": 1}, {}),
    # The literal or the first event stands on the left.
    ("100 < async.data.n", {"n": 101}, {"n": 100}),
    ("100 == async.data.n", {"n": 100.0}, {"n": "100"}),
    ("event.data.n >= async.data.n", {"n": 99.5}, {"n": 100.5}),
    ("event.data.id == async.data.id && 1 < async.data.n", {"id": "u-1", "n": 2}, {"id": "u-1", "n": 1}),
    # Strings with escapes and quotes, in the text or in the first event.
    (r'async.data.s == "say \"hi\""', {"s": 'say "hi"'}, {"s": r"say \"hi\""}),
    (r"async.data.s == 'it\'s'", {"s": "it's"}, {"s": "its"}),
    (r'async.data.s == "a\\b"', {"s": "a\\b"}, {"s": "a\\\\b"}),
    (r'async.data.s == "tab\there"', {"s": "tab\there"}, {"s": r"tab\there"}),
    (r'async.data.s == r"\d"', {"s": "\\d"}, {"s": "\\\\d"}),
    (r"async.data.s == '\u00fc\U0001F600'", {"s": "ü\U0001f600"}, {"s": "u\u0308\U0001f600"}),
    ("async.data.s == event.data.ids[1]", {"s": 'b"c'}, {"s": 'b\\"c'}),
    ("async.data.s == '&& ||'", {"s": "&& ||"}, {"s": "&&"}),
    # `in`: with a list, with the first event's list, negated, with other conditions.
    ("async.data.s in ['a', 'b']", {"s": "b"}, {"s": "c"}),
    ("async.data.s in event.data.ids", {"s": 'b"c'}, {"s": "b"}),
    ("async.data.s in event.data.ids && async.data.n == 1", {"s": "a", "n": 1}, {"s": "c", "n": 1}),
    ("!(async.data.s in ['a', 'b'])", {"s": "c"}, {"s": "a"}),
    ("'x' in async.data.tags", {"tags": ["x"]}, {"tags": ["y"]}),
    ("event.data.id in async.data.tags", {"tags": ["u-1"]}, {"tags": []}),
    # Types that look alike.
    ("async.data.n == 1", {"n": 1.0}, {"n": True}),
    ("async.data.n == 1.0", {"n": 1}, {"n": "1"}),
    ("async.data.n == true", {"n": True}, {"n": 1}),
    ("async.data.n == 9007199254740993", {"n": 2**53 + 1}, {"n": 2.0**53}),
    (
        "async.data.n == 123456789012345678901234567890",
        {"n": 123456789012345678901234567890},
        {"n": 1.2345678901234568e29},
    ),
    # Missing and null are one; neither is zero, empty or false, nor less than anything.
    ("async.data.a == null", {}, {"a": 0}),
    ("async.data.a == event.data.none", {"a": None}, {"a": ""}),
    ("async.data.a == event.data.missing", {}, {"a": False}),
    ("async.data.a != 5", {}, {"a": 5.0}),
    ("async.data.a < 5", {"a": 4}, {}),
    ("!(async.data.a > 5)", {}, {"a": 6}),
    ("async.data.a.b == null", {"a": 1}, {"a": {"b": 1}}),
    # Ternaries and comparisons of conditions.
    ("async.data.vip ? async.data.n > 1 : async.data.n > 10", {"vip": True, "n": 2}, {"vip": False, "n": 2}),
    ("event.data.n == 100 ? async.data.n == 1 : async.data.n == 2", {"n": 1}, {"n": 2}),
    ("(async.data.a == 1) == (async.data.b == 1)", {}, {"a": 1}),
]


def matched(text: str, incoming: dict[str, Any]) -> bool:
    """Whether the wait is found by its keys and then holds."""
    plan = plan_wait("x", text, TRIGGER)
    found = any(lookup_key("x", row.shape, incoming) == row.key for row in plan.rows)
    return found and condition_holds(plan.condition, incoming).value


@pytest.mark.parametrize(("text", "meets", "misses"), CASES)
def test_what_meets_a_condition_is_found_and_nothing_else(
    text: str, meets: dict[str, Any], misses: dict[str, Any]
) -> None:
    assert matched(text, {"data": meets})
    assert not matched(text, {"data": misses})
    whole = compile_expression(text)
    assert whole.matches({"event": TRIGGER, "async": {"data": meets}})
    assert not whole.matches({"event": TRIGGER, "async": {"data": misses}})
