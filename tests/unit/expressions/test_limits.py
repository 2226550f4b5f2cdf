"""Limits and refusals: each names its limit and its place, and none lets hostile text cost time or leak an
error."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.core.errors import InvalidExpression
from chalicelib.core.expressions import compile_expression, expression_cache_info


def refusal(text: Any) -> InvalidExpression:
    with pytest.raises(InvalidExpression) as caught:
        compile_expression(text)
    return caught.value


@pytest.mark.parametrize("quote", ["'", '"', "'''", '"""', "r'", 'R"""', ""])
def test_backslashes_that_hang_the_stock_lexer_are_refused_at_once(quote: str) -> None:
    began = time.perf_counter()
    for count in (41, 42, 2000, 2001):
        refusal(quote + "\\" * count)
    # Generous; the stock lexer takes minutes for the shortest of these.
    assert time.perf_counter() - began < 5


HOSTILE = [
    ("!" * 4000 + "true", "limit on nesting"),
    ("-" * 4000 + "1", "limit on nesting"),
    ("- " * 33 + "1", "more than 32 signs"),
    ("(" * 33 + "1" + ")" * 33, "limit of 32"),
    ("[" * 2000, "limit of 32"),
    ("size(" * 33, "limit of 32"),
    ("event" + ".a" * 2000, "limit of 500"),
    ("event" + "[0]" * 1300, "limit of 64"),
    ("event" + ".trim()" * 500, "limit of 64"),
    ("true ? 1 : " * 300 + "1", "limit of 64"),
    ("1" + " < 1" * 900, "limit of 64"),
    ("1" + "+1" * 1900, "limit of 500"),
    ("true" + "&&true" * 600, "limit of 500"),
    ("true" + "||true" * 600, "limit of 500"),
    ("[" + "1," * 100 + "1]", "limit is 100"),
    ("event.name == '" + "x" * 4096 + "'", "limit of 4096 bytes"),
    ("'" + "ü" * 2048 + "'", "limit is 4096 bytes"),
    ("event.name.matches('" + "x" * 257 + "')", "limit is 256 bytes"),
    (
        "[1].exists(a, [1].exists(b, [1].exists(c, [1].exists(d, a == b))))",
        "limit of 3 macros",
    ),
]


@pytest.mark.parametrize(("text", "reason"), HOSTILE)
def test_limits_are_named(text: str, reason: str) -> None:
    assert reason in refusal(text).message


@pytest.mark.parametrize(
    "text",
    [
        "(" * 32 + "true" + ")" * 32,
        "!" * 32 + "true",
        "true" + " && true" * 400,
        "1" + " + 1" * 400 + " == 401",
        "event" + ".a" * 400 + " == null",
        "1 in [" + "2, " * 99 + "1]",
        "'" + "x" * 4000 + "' != ''",
        "event.name.matches('" + "x" * 256 + "') || true",
    ],
)
def test_what_keeps_the_limits_runs(text: str) -> None:
    assert compile_expression(text).matches({"event": {"name": ""}})


REFUSED = [
    ("", 1, 1, "empty"),
    ("  \n // only a comment", 1, 1, "empty"),
    (5, 1, 1, "not int"),
    (None, 1, 1, "not NoneType"),
    (["event"], 1, 1, "not list"),
    ("event.name == '\ud800'", 1, 16, "surrogate"),
    ("event.name = 'a'", 1, 12, "use == to compare"),
    ("event.name == “a”", 1, 15, "straight quotes"),
    ("event.name & true", 1, 12, "use &&"),
    ("asyn.data.x == 1", 1, 1, "did you mean 'async'"),
    ("true &&\n  evnt.x == 1", 2, 3, "did you mean 'event'"),
    ("event.data.plan == pro", 1, 20, "quote it: 'pro'"),
    ("event.data.plan == pro plan", 1, 24, "'pro plan'"),
    ("data.x == 1", 1, 1, "did you mean async.data or event.data?"),
    ("event.data.order-id == 1", 1, 18, "event.data['order-id']"),
    ("event.data.a and event.data.b", 1, 14, "unexpected 'and'"),
    ("not event.data.a", 1, 5, "unexpected 'event'"),
    ("event.data.a == True", 1, 17, "did you mean true"),
    ("event.data.a == None", 1, 17, "did you mean null"),
    ("event.data.a == size", 1, 17, "called with parentheses"),
    ("event.data.5", 1, 12, "read with [5]"),
    ("5abc == 1", 1, 1, "neither a number nor a name"),
    ("0xg == 1", 1, 1, "neither a number nor a name"),
    ("1e999 == 1", 1, 1, "larger than a number may be"),
    ("event.name == 'a", 1, 15, "never closed"),
    ("event.name == 'a\nb'", 1, 15, "never closed"),
    (r"'\q'", 1, 2, r"unknown escape \q"),
    (r"'\x4'", 1, 2, "2 hexadecimal digits"),
    (r"'\u12'", 1, 2, "4 hexadecimal digits"),
    (r"'\uD800'", 1, 2, "no character"),
    (r"'\U00110000'", 1, 2, "no character"),
    (r"'\09'", 1, 2, "octal"),
    ("b'abc' == event.name", 1, 1, "bytes literals"),
    ("event.name == 'a' +", 1, 19, "ends too early"),
    ("(event.name", 1, 1, "never closed"),
    ("event.name)", 1, 11, "closes nothing"),
    ("[event.name)", 1, 12, "expected ]"),
    ("{'a': 1}", 1, 1, "map literals"),
    ("event{a: 1}", 1, 1, "objects"),
    (".event.name", 1, 1, "does not begin with a dot"),
    (".size(1)", 1, 1, "does not begin with a dot"),
    ("foo(1)", 1, 1, "unknown function 'foo'"),
    ("event.name.startWith('a')", 1, 12, "did you mean 'startsWith'"),
    ("size(1, 2)", 1, 1, "size is written size(value)"),
    ("event.name.matches('(')", 1, 20, "pattern cannot be used"),
    ("event.name.matches(event.data.p)", 1, 20, "must be a string literal"),
    ("event.name.matches('(a{1000}){1000}')", 1, 20, "pattern cannot be used"),
    ("has(event)", 1, 1, "has is written"),
    ("has(1 + 1)", 1, 1, "has is written"),
    ("event.data.l.exists(i)", 1, 14, "exists is written"),
    ("event.data.l.exists(i.x, true)", 1, 21, "its first argument is a new name"),
    ("event.data.l.exists(event, true)", 1, 21, "is taken"),
    ("event.data.l.exists(_, true)", 1, 21, "is taken"),
    ("event.data.l.exists(i, true) && i == 1", 1, 33, "unknown name 'i'"),
    ("a" * 100 + " == 1", 1, 1, "…"),
]


@pytest.mark.parametrize(("text", "line", "column", "reason"), REFUSED)
def test_refusals_name_reason_and_place(text: Any, line: int, column: int, reason: str) -> None:
    error = refusal(text)
    assert reason in error.message
    assert (error.line, error.column) == (line, column)


def test_roots_are_the_callers() -> None:
    with pytest.raises(InvalidExpression, match="unknown name 'async'"):
        compile_expression("async.data.x == 1", roots=frozenset({"event"}))
    assert compile_expression("step.x == 1", roots=frozenset({"step"})).matches({"step": {"x": 1}})


EVALUATIONS = [
    ("event.l.all(a, event.l.all(b, a != b || true))", "steps"),
    ("event.l.exists(a, event.l == [a])", None),
    ("event.l.all(a, event.l == event.l)", "steps"),
    ("event.l.all(a, a in event.l)", "steps"),
    ("event.l.all(a, event.text.contains('y') || true) || true", "steps"),
    ("event.l.all(a, event.text == event.other || true)", "steps"),
    ("event.l.all(a, event.text < event.other || true)", "steps"),
    ("event.l.all(a, event.text.matches('y') || true)", "steps"),
    ("event.text + event.text == ''", "limit is 65536"),
    ("(event.l + event.l) + event.l == []", "limit is 10000"),
]


@pytest.mark.parametrize(("text", "reason"), EVALUATIONS)
def test_the_work_of_one_evaluation_is_bounded(text: str, reason: str | None) -> None:
    data = {"l": list(range(4000)), "text": "x" * 100_000, "other": "x" * 100_000 + ""}
    began = time.perf_counter()
    error = compile_expression(text).evaluate({"event": data}).error
    assert time.perf_counter() - began < 10
    assert error is None if reason is None else reason in (error or "")


def test_deep_data_is_compared_without_recursion() -> None:
    def deep(bottom: int) -> list[Any]:
        nested: list[Any] = [bottom]
        for _ in range(20_000):
            nested = [nested]
        return nested

    expression = compile_expression("event.a == event.b")
    assert expression.matches({"event": {"a": deep(1), "b": deep(1)}})
    assert not expression.matches({"event": {"a": deep(1), "b": deep(2)}})
    listed = compile_expression("[timestamp(0), event.a]").evaluate({"event": {"a": deep(1)}})
    assert listed.value[0] == "1970-01-01T00:00:00Z"


def test_compiled_expressions_are_kept() -> None:
    first = compile_expression("event.data.kept == 1")
    hits = expression_cache_info().hits
    assert compile_expression("event.data.kept == 1") is first
    assert expression_cache_info().hits == hits + 1
    assert compile_expression("event.data.kept == 1", roots=frozenset({"event"})) is not first


def test_threads_do_not_disturb_each_other() -> None:
    def run(number: int) -> bool:
        text = f"event.l.map(x, x + {number}).exists(y, y == event.n + {number}) && async.n == {number}"
        expression = compile_expression(text)
        return all(expression.matches({"event": {"l": [1, 2, 3], "n": 2}, "async": {"n": number}}) for _ in range(50))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(run, [number % 40 for number in range(160)]))


def test_importing_costs_no_parser_and_celpy_itself_is_never_imported() -> None:
    code = (
        "import sys; from chalicelib.core import expressions as e, matching;"
        "assert not {'lark', 're2', 'celpy'} & set(sys.modules);"
        "limit = sys.getrecursionlimit(); e.compile_expression('event.name.matches(\"a\")');"
        "assert 'lark' in sys.modules and 'celpy' not in sys.modules and sys.getrecursionlimit() == limit"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
