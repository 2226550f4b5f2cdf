"""Hostile text and hostile events: refused or evaluated, in bounded time and memory, and nothing but our own error."""

from __future__ import annotations

import itertools
import math
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import strategies as st

from chalicelib.core.errors import InvalidExpression
from chalicelib.core.expressions import Expression, compile_expression
from chalicelib.core.matching import (
    Condition,
    WaitPlan,
    condition_holds,
    explain_miss,
    lookup_key,
    plan_wait,
    trigger_matches,
)
from tests.soak.properties import TRIED, holds

from .generated import expressions

# Far more than the slowest text or event takes (some hundredths), far less than anything that grows out of hand.
CPU_SECONDS = 2.0

SNIPPETS = [
    *("'", '"', "'''", '"""', "\\", "\\\\", "\\'", '\\"', "\\x", "\\u12", "\\U", "\\8", "r'", 'R"', "b'", "`"),
    *("(", ")", "[", "]", "{", "}", "!", "-", "+", "*", "/", "//", "/*", "\n", "\r", "\t", "\x00", "\x85", "\u2028"),
    *("?", ":", ",", ".", "..", "&&", "&", "||", "|", "==", "=", "!=", "<", "<=", ">>", "%", "$", "@", "#", ";", "~"),
    *("event", "async", "_", "__class__", "event.data.", "in", "true", "null", "has(", "size(", ".exists(x,", ".map("),
    *("0", "9" * 400, "0x", "1e", "1e999", "-1e-999", "1.", ".5", "5u", "9223372036854775808", "0b1", "1_000"),
    *("matches(event.name, '(a+)+$')", ".matches('(((((((((('", "'\\ud800'", "ü", "\U0001f600", "‘’", "\ufeff", "٣"),
    *("timestamp('", "duration('1h", "true ? ", "[1,", "event[", "event.data['a-b']", "x", "{'a':1}", "\u202e"),
]
snippets = st.sampled_from(SNIPPETS)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A good expression with a few wounds."""
    text = draw(expressions)
    for _ in range(draw(st.integers(1, 2))):
        at, to = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        match draw(st.integers(0, 4)):
            case 0:
                text = text[:at] + text[to:]
            case 1:
                text = text[:at] + draw(snippets) + text[at:]
            case 2:
                text = text[:to] + text[at:to] + text[to:]
            case 3:
                text = text[:at] + text[at:to][::-1] + text[to:]
            case _:
                text = text[:at] + draw(snippets) + text[to:]
    return text


raw_bytes = st.builds(
    lambda raw, encoding: raw.decode(encoding, "surrogateescape" if encoding == "utf-8" else "strict"),
    st.binary(max_size=200),
    st.sampled_from(["utf-8", "latin-1"]),
)
repeated = st.builds(
    lambda start, unit, count, end: start + "".join(unit) * count + end,
    snippets,
    st.lists(snippets, min_size=1, max_size=3),
    st.integers(1, 3000),
    snippets,
)


def front_door(text: Any) -> Expression | None:
    """The expression, or None where it is refused; whatever else is raised fails the test, as does too much time."""
    began = time.process_time()
    expression: Expression | None = None
    refusal = None
    try:
        expression = compile_expression(text)
    except InvalidExpression as error:
        refusal = error
    assert time.process_time() - began < CPU_SECONDS
    if refusal is not None:
        assert min(refusal.line, refusal.column) >= 1
        assert len(refusal.message) < 500  # It is shown to people: not the text over again.
        assert refusal.message.encode()  # And it can be stored.
    return expression


def through_all_doors(text: str) -> None:
    """Read the text wherever a condition may come in, and evaluate it if it can be."""
    event = {"name": "a", "data": {"x": [1, "a", None], "a": {"a": 1}, "s": "x" * 300}, "ts": 1}
    expression = front_door(text)
    TRIED["hostile text", "refused" if expression is None else "read"] += 1
    trigger_matches(text, event)
    if expression is None:
        return
    evaluation = expression.evaluate({"event": event, "async": event})
    assert evaluation.error is None or evaluation.value is None
    try:
        plan = plan_wait("x", text, event)
    except InvalidExpression:
        return  # Its values were too large to be stored.
    condition_holds(plan.condition, event)
    explain_miss(plan.condition, event)
    for row in plan.rows:
        lookup_key("x", row.shape, event)


@holds(300, raw_bytes)
def test_bytes_are_refused_or_read(text: str) -> None:
    through_all_doors(text)


@holds(600, st.lists(snippets, max_size=30).map("".join))
def test_pieces_of_the_language_are_refused_or_read(text: str) -> None:
    through_all_doors(text)


@holds(600, mutated())
def test_wounded_expressions_are_refused_or_read(text: str) -> None:
    through_all_doors(text)


@holds(200, repeated)
def test_repetitions_are_refused_or_read(text: str) -> None:
    through_all_doors(text)


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, in Python and in C: a measure of work that no other process disturbs."""
    count = 0

    def counted(_frame: Any, what: str, _argument: Any) -> None:
        nonlocal count
        count += what in ("call", "c_call")

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


# Texts of any length, up to the limit: each is read in time that grows with its length and no faster.
FAMILIES: dict[str, Callable[[int], str]] = {
    "backslashes": lambda n: "'" + "\\" * n,
    "closed backslashes": lambda n: "'" + "\\\\" * (n // 2) + "'",
    "raw backslashes": lambda n: "r'" + "\\" * n,
    "quotes": lambda n: "'" * n,
    "triple quotes": lambda n: '"""' + '""\\"' * (n // 4),
    "string": lambda n: "'" + "a" * n + "'",
    "digits": lambda n: "9" * n,
    "fraction": lambda n: "0." + "9" * n + "e",
    "name": lambda n: "a" * n,
    "spaces": lambda n: " " * n + "1",
    "comments": lambda n: "//\n" * (n // 3) + "1",
    "slashes": lambda n: "/" * n,
    "lines": lambda n: "\n" * n + "'",
    "path": lambda n: "event" + ".a" * (n // 2),
    "sum": lambda n: "1" + "+1" * (n // 2),
    "and": lambda n: "true" + "&&true" * (n // 6),
    "list": lambda n: "[" + "1," * (n // 2) + "1]",
    "calls": lambda n: "size(1)+" * (n // 8) + "1",
    "dots": lambda n: "." * n,
    "bytes": lambda n: "b''" * (n // 3),
}
_ROOM = 3_900


@pytest.mark.parametrize("family", FAMILIES)
def test_reading_takes_work_in_proportion_to_the_length(family: str) -> None:
    compile_expression("true")  # The grammar is there.
    texts = [FAMILIES[family](length) for length in (_ROOM // 2, _ROOM)]
    half, whole = (calls(partial(front_door, text)) for text in texts)
    assert whole < 2.5 * half + 200
    assert whole < 300 * _ROOM


@pytest.mark.parametrize("family", [*FAMILIES, "huge"])
def test_reading_takes_little_memory(family: str) -> None:
    text = "'" + "x" * 20_000_000 + "'" if family == "huge" else FAMILIES[family](_ROOM)
    compile_expression("true")
    tracemalloc.start()
    try:
        front_door(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (100_000 if family == "huge" else 32_000_000)


def nested(levels: int, inner: Any, key: str | None = None) -> Any:
    for _ in range(levels):
        inner = [inner] if key is None else {key: inner}
    return inner


NASTY: list[Any] = [
    *(None, True, False, 0, -0.0, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf),
    *(2**63, -(2**63) - 1, 10**400, -(10**400)),
    *(
        "",
        "\x00",
        "\ud800",
        "\udfff\ud800",
        "\U0010ffff",
        "e\u0301",
        "\u202e",
        "x" * 100_000,
        "\\" * 1000,
        "(a+)+$" * 50,
    ),
    *([], {}, [[]], {"": {}}, {"__class__": 1, "a.b": 2, "a'b": 3, "\ud800": 4}, [None] * 5000, ["x"] * 5000),
    *(
        list(range(5000)),
        {str(n): n for n in range(5000)},
        nested(5000, 1),
        nested(5000, "x", "a"),
        nested(3, "x", "data"),
    ),
    *("2026-03-01T12:00:00Z", "9999-12-31T23:59:59.999999999Z", "9" * 100 + "h", "1e999", "0x1p3", "true"),
]
json_values = st.recursive(
    # Not sampled_from: Hypothesis would write out all of them, deep ones too.
    st.integers(0, len(NASTY) - 1).map(lambda n: NASTY[n])
    | st.text(max_size=8)
    | st.integers()
    | st.floats()
    | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4) | st.just("a"), inner, max_size=4),
    max_leaves=8,
)
hostile_events = st.one_of(
    st.fixed_dictionaries({"data": st.dictionaries(st.sampled_from("abcdef"), json_values, max_size=6)}),
    json_values.map(lambda value: {"data": value}),
    json_values.map(lambda value: {"name": value, "data": {"a": value, "b": value, "c": value}, "ts": value}),
)

# What applications write, each operator and function among it.
FIXED = [
    "async.data.a == event.data.a && async.data.b != event.data.b",
    "async.data.a in event.data.b || event.data.a in async.data.c || async.data.a in ['x', 1, null]",
    "async.data.a < event.data.a || async.data.b >= event.data.b || !(async.data.c > 0)",
    "async.data.a + event.data.a == async.data.b - event.data.b || async.data.a * 2 / 3 % 4 == 1 || -async.data.a == 1",
    "has(async.data.a.b) && has(async.data['']) || async.data.a[0] == async.data.b[event.data.a]",
    "async.data.a.exists(x, x == event.data.a) || async.data.b.all(x, x in event.data.b)",
    "async.data.a.map(x, x + 1).filter(x, x > 1).exists_one(x, async.data.b.exists(y, y == x))",
    "async.data.a.startsWith(event.data.a) || async.data.a.contains('x') || async.data.a.endsWith(async.data.b)",
    "async.data.a.matches('(a+)+$') || async.data.b.lowerAscii().upperAscii().trim() == string(async.data.c)",
    "size(async.data.a) == int(async.data.b) || double(async.data.c) > 0.5 || bool(async.data.d)",
    "timestamp(async.data.a) + duration(event.data.b) > timestamp(event.data.a) || timestamp(async.ts).getHours() == 1",
    "async.data.a ? async.data.b == event.data.b : [async.data.a, event.data.a] == [event.data.b, async.data.b]",
    "async.data == event.data || async == event || async.name.size() > event.ts",
    "string(async.data.a) + string(event.data.b) == 'x' || async.data.a + async.data.a == event.data.a",
]


@holds(400, st.sampled_from(FIXED), hostile_events, hostile_events)
def test_no_event_breaks_a_condition(text: str, trigger: dict[str, Any], incoming: dict[str, Any]) -> None:
    began = time.process_time()
    whole = compile_expression(text).evaluate({"event": trigger, "async": incoming})
    assert whole.error is None or whole.value is None
    assert len(whole.error or "") < 500
    trigger_matches(text.replace("async", "event"), incoming)
    plan, refusal = planned(text, trigger)
    if plan is None:
        assert "the condition takes from the event" in refusal
    else:
        found = any(lookup_key("x", row.shape, incoming) == row.key for row in plan.rows)
        met = condition_holds(plan.condition, incoming)
        assert (found and met.value) is (whole.value is True)
        told = [*explain_miss(plan.condition, incoming), *plan.warnings]
        assert all(len(line.encode()) < 2000 for line in told)  # Short, and what can be stored.
    assert time.process_time() - began < CPU_SECONDS


def planned(text: str, trigger: dict[str, Any]) -> tuple[WaitPlan | None, str]:
    """The plan of the wait, or why there is none."""
    try:
        return plan_wait("x", text, trigger), ""
    except InvalidExpression as error:
        return None, error.message


def huge_values() -> dict[str, Any]:
    """What is too large or too deep for Python to write, by name."""
    integers = {f"{digits} digits": -(10 ** (digits - 1)) for digits in (4300, 4301, 9000)}
    return integers | {"deep lists": nested(9000, 1), "deep objects": nested(9000, {"b": "x"}, "a")}


@pytest.mark.parametrize("text", FIXED)
@pytest.mark.parametrize("name", ["4300 digits", "4301 digits", "9000 digits", "deep lists", "deep objects"])
def test_no_value_beyond_what_python_can_write_breaks_a_condition(text: str, name: str) -> None:
    huge, again = huge_values()[name], huge_values()[name]
    events: list[dict[str, Any]] = [{"data": {"a": value, "b": value}, "ts": value} for value in (huge, again)]
    for trigger, incoming in itertools.product([events[0], {}], [events[1], {}]):
        whole = compile_expression(text).evaluate({"event": trigger, "async": incoming})
        plan, _ = planned(text, trigger)
        if plan is not None:
            assert condition_holds(plan.condition, incoming).value is (whole.value is True)
            explain_miss(plan.condition, incoming)


def test_no_stored_integer_breaks_a_condition() -> None:
    assert condition_holds(Condition("async.data.a == " + "9" * 5000, ()), {"data": {"a": 1}}).error
