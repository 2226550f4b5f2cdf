"""The semantics table of docs/EXPRESSIONS.md, row by row."""

from __future__ import annotations

import math
from typing import Any

import pytest

from chalicelib.core.expressions import compile_expression

BIG = 123_456_789_012_345_678_901_234_567_890

EVENT: dict[str, Any] = {
    "name": "shop/order.paid",
    "ts": 1_700_000_000_123,
    "data": {
        "id": "o-1",
        "n": 5,
        "price": 2.5,
        "one": 1.0,
        "zero": -0.0,
        "nan": math.nan,
        "big": BIG,
        "yes": True,
        "no": False,
        "null": None,
        "in": "keyword",
        "order-id": 7,
        "text": 'say "hi" \\ ü',
        "half": "\ud800",
        "tags": ["a", "b", 1, None],
        "map": {"k": 1, "v": None},
        "items": [{"sku": "x", "n": 1}, {"sku": "y", "n": 2}],
        "at": "2026-03-01T12:00:00Z",
    },
}
ASYNC: dict[str, Any] = {"name": "shop/refund", "data": {"id": "o-1", "n": 7, "flag": True}}

TRUE = [
    # A missing field or index reads as null, also through null and scalars.
    "event.data.missing == null",
    "event.data.missing.deeper.still == null",
    "event.data.null.deeper == null",
    "event.data.id.deeper == null",
    "event.data.tags.deeper == null",
    "event.data.tags[9] == null",
    "event.data.tags[-1] == null",
    "event.data.tags['0'] == null",
    "event.data.map[0] == null",
    "event.data.n[0] == null",
    "event.data.tags[true] == null",
    "event.data.tags[0] == 'a'",
    "event.data.tags[0.0] == 'a'",
    "event.data.items[event.data.items[0].n].sku == 'y'",
    "event.data['order-id'] == 7",
    "event['data']['id'] == 'o-1'",
    "event.data.in == 'keyword'",
    "event.data.null == null",
    # Integers and doubles compare by value, exactly.
    "event.data.one == 1",
    "1 == 1.0",
    "event.data.zero == 0",
    "event.data.n < 5.5",
    "event.data.n >= 5.0",
    f"event.data.big == {BIG}",
    f"event.data.big != {BIG + 1}",
    "event.data.big > 1e20",
    "9007199254740993 != 9007199254740992.0",
    "9007199254740993 > 9007199254740992.0",
    "event.data.nan != event.data.nan",
    "!(event.data.nan == event.data.nan)",
    "!(event.data.nan < 1) && !(event.data.nan >= 1)",
    "0x1F == 31 && 5u == 5 && -3 == 0 - 3 && .5 == 0.5 && 1e2 == 100",
    # Unlike types: == is false, != true, an ordering false.
    "'1' != 1",
    "!('1' == 1)",
    "true != 1",
    "false != 0",
    "null != false",
    "null != 0 && null != ''",
    "[1] != ['1'] && [1] == [1.0] && [[null]] == [[null]]",
    "event.data.map == event.data.map",
    "event.data.map != event.data.items[0]",
    "!('1' < 2) && !('1' > 2)",
    "!(null < 1) && !(null >= 1) && !(null <= null)",
    "!(event.data.missing > 3)",
    "!(true > false) && !(true >= true)",
    "!([1] < [2])",
    "'a' < 'b' && 'B' < 'a' && 'a' < 'aa'",
    # && and || in any order; what is decided does not fail.
    "event.data.n / 0 == 1 || true",
    "true || event.data.n / 0 == 1",
    "!(false && event.data.n / 0 == 1)",
    "!(event.data.n / 0 == 1 && false)",
    "event.data.n || true",
    "!(event.data.missing && false)",
    # Peers get these wrong.
    'event.data.id == "nope" || event.data.yes == true',
    "!(event.data.no && event.data.yes)",
    "!(event.data.id == 'o-1' && event.data.n == 6)",
    "4 < event.data.n",
    "'o-1' == event.data.id",
    r'event.data.text == "say \"hi\" \\ \u00fc"',
    "event.data.id in ['o-1', 'o-2']",
    "!(event.data.id in ['o-2'])",
    # in
    "'a' in event.data.tags",
    "1.0 in event.data.tags && null in event.data.tags && !(true in event.data.tags)",
    "!('z' in event.data.tags)",
    "'k' in event.data.map && !('z' in event.data.map) && !(1 in event.data.map)",
    "!('a' in event.data.missing)",
    # has
    "has(event.data.id) && has(event.data.null) && !has(event.data.missing)",
    "!has(event.data.missing.deeper) && !has(event.data.id.deeper)",
    "has(event.data['order-id']) && has(event.data.tags[0]) && !has(event.data.tags[9])",
    "has(event.data.map[string('k')])",
    # Macros
    "event.data.items.exists(i, i.sku == 'y')",
    "!event.data.items.exists(i, i.sku == 'z')",
    "event.data.items.all(i, i.n > 0)",
    "!event.data.items.all(i, i.n > 1)",
    "event.data.items.exists_one(i, i.n == 2)",
    "event.data.items.map(i, i.n) == [1, 2]",
    "event.data.items.map(i, i.n > 1, i.sku) == ['y']",
    "event.data.items.filter(i, i.n > 1)[0].sku == 'y'",
    "event.data.map.exists(k, k == 'v')",
    "[].all(x, x) && ![].exists(x, x)",
    "[0, 1].exists(x, 1 / x == 1)",
    "[1].exists(x, [2].exists(y, [3].exists(z, x + y == z)))",
    "['a'].exists(event_name, event_name == 'a')",
    # Texts
    "event.name.startsWith('shop/') && event.name.endsWith('paid') && event.name.contains('order')",
    "'AbcÄ'.lowerAscii() == 'abcÄ' && 'abcä'.upperAscii() == 'ABCä' && '  a b '.trim() == 'a b'",
    r"'\u00a0\u2003a\u0085'.trim() == 'a' && '\x1ca\u200b'.trim() == '\x1ca\u200b'",
    "event.name.matches('^shop/.*paid$') && matches(event.name, 'order') && !event.name.matches('^order')",
    "!event.data.half.matches('a')",
    "size('äb') == 2 && size(event.data.tags) == 4 && event.data.map.size() == 2",
    # Arithmetic
    "7 / 2 == 3 && -7 / 2 == -3 && 7 / -2 == -3 && -7 % 3 == -1 && 7 % -3 == 1",
    "7.0 / 2 == 3.5 && 1 + 0.5 == 1.5 && 2 * 3 - 4 == 2 && 10 - 3 - 2 == 5",
    "'a' + 'b' == 'ab' && [1] + [2] == [1, 2]",
    "-event.data.n == -5 && -(-5) == 5 && 1 - -1 == 2 && 1-1 == 0",
    "(1 + 2) * 3 == 9 && 1 + 2 * 3 == 7",
    # Conditional
    "(event.data.yes ? 'a' : 'b') == 'a'",
    "false ? 1 / 0 == 1 : true",
    "true ? true : event.data.n / 0",
    # Conversions
    "int('42') == 42 && int(-3.9) == -3 && int(3.9) == 3 && int('-7') == -7",
    "double('1.5') == 1.5 && double(2) == 2",
    "string(1) == '1' && string(1.0) == '1' && string(1.5) == '1.5' && string(true) == 'true'",
    "string(1e15) == string(1000000000000000) && string(1e22) == '1' + '0000000000' + '000000000000'",
    "int('+4') == 4 && double('+1.5') == 1.5 && double('1.') == 1 && double('.5') == 0.5 && double('1e3') == 1000",
    "bool('true') && !bool('false') && bool(true)",
    "int(timestamp('1970-01-01T00:01:00Z')) == 60",
    # Times
    "timestamp(event.data.at) < timestamp('2026-03-01T14:00:00+01:00')",
    "timestamp(event.data.at) == timestamp('2026-03-01T13:00:00+01:00')",
    "timestamp(event.data.at) - timestamp('2026-03-01T11:00:00Z') == duration('1h')",
    "timestamp(event.data.at) + duration('1h30m') > timestamp(event.data.at)",
    "duration('90m') == duration('1h30m') && duration('1d') == duration('24h')",
    "duration('+1h') == duration('1h') && duration('.5s') == duration('500ms') && duration('1.s') == duration('1s')",
    "duration('0') == duration('0s') && duration('-0') == duration('0s')",
    "duration('-1s') < duration('1ms') && duration('1us') == duration('1000ns')",
    "timestamp('2026-03-01T12:00:00.000000001Z') > timestamp(event.data.at)",
    "timestamp(event.ts / 1000).getFullYear() == 2023",
    "timestamp(event.data.at).getMonth() == 2 && timestamp(event.data.at).getDate() == 1",
    "timestamp(event.data.at).getDayOfMonth() == 0 && timestamp(event.data.at).getDayOfWeek() == 0",
    "timestamp(event.data.at).getDayOfYear() == 59 && timestamp(event.data.at).getHours() == 12",
    "timestamp(event.data.at).getMinutes() == 0 && timestamp(event.data.at).getSeconds() == 0",
    "timestamp('2026-03-01T12:00:00.25Z').getMilliseconds() == 250",
    "duration('90m').getHours() == 1 && duration('90m').getMinutes() == 90",
    "duration('1m').getSeconds() == 60 && duration('-90m').getHours() == -1",
    "timestamp(event.data.at) != event.data.at && !(timestamp(event.data.at) < duration('1h'))",
    "-duration('1h') == duration('-1h')",
    # Literals
    r"""'\x41\u0042\U00000043\104' == "ABCD" """,
    r"'\a\b\f\n\r\t\v\\\'\"\?\`' == '\x07\x08\x0c\x0a\x0d\x09\x0b\x5c\x27\x22\x3f\x60'",
    r"r'\d' == '\\d' && R'\\'.size() == 2",
    r"R'\' == '\\'",
    "'''it's\n''' == 'it\\'s\\n' && \"\"\"a\"b\"\"\" == 'a\"b'",
    "'' == \"\" && '''''' == ''",
    "true // a comment || false",
    "// first\n true",
    "async.data.flag && async.data.id == event.data.id",
]


@pytest.mark.parametrize("text", TRUE)
def test_is_true(text: str) -> None:
    evaluation = compile_expression(text).evaluate({"event": EVENT, "async": ASYNC})
    assert evaluation.error is None
    assert evaluation.value is True


FAILS = [
    ("!event.data.missing", "! needs a boolean, not null"),
    ("!'x'", "! needs a boolean, not a string"),
    ("event.data.missing && true", "&& needs a boolean, not null"),
    ("false || event.data.n", "|| needs a boolean, not a number"),
    ("event.data.n ? 1 : 2", "? : needs a boolean"),
    ("event.data.n / 0", "division by zero"),
    ("event.data.n % 0", "division by zero"),
    ("1.5 / 0", "division by zero"),
    ("5.5 % 2", "% needs two integers"),
    ("9223372036854775807 + 1", "64-bit"),
    ("event.data.big + 0", "64-bit"),
    ("-event.data.big", "64-bit"),
    ("1e308 * 10", "no finite number"),
    ("event.data.big * 1e300", "no finite number"),
    ("event.data.n + '1'", "+ has no meaning between a number and a string"),
    ("null + 1", "between null and a number"),
    ("-'a'", "- needs a number"),
    ("'a' in 'abc'", "write text.contains"),
    ("'a' in 5", "in needs a list"),
    ("event.data.tags.contains('a')", "value in list"),
    ("event.data.missing.startsWith('a')", "startsWith needs two strings, not null"),
    ("event.data.n.matches('a')", "matches needs a string"),
    ("event.data.n.trim()", "trim needs a string"),
    ("size(event.data.missing)", "size needs"),
    ("event.data.missing.exists(i, i)", "exists needs a list, not null"),
    ("event.data.items.exists(i, i.n)", "exists needs a boolean, not a number"),
    ("event.data.items.filter(i, i.n)", "filter needs a boolean"),
    ("[0, 1].exists_one(x, 1 / x == 1)", "division by zero"),
    ("[0].all(x, 1 / x == 1)", "division by zero"),
    ("int('x')", "int cannot read 'x'"),
    ("int('1_0')", "int cannot read"),
    ("int(1e300)", "64-bit"),
    ("int(event.data.nan)", "finite"),
    ("double('x')", "double cannot read"),
    ("double('nan')", "double cannot read"),
    ("double(' 1.5')", "double cannot read"),
    ("double('\u0661')", "double cannot read"),
    ("double('1e999')", "finite"),
    ("int('\u0661')", "int cannot read"),
    ("int('+-4')", "int cannot read"),
    ("string(null)", "string cannot write null"),
    ("bool('x')", "bool cannot read"),
    ("timestamp('yesterday')", "as in 2026-03-01T12:00:00Z"),
    ("timestamp('2026-02-30T12:00:00Z')", "timestamp cannot read"),
    ("timestamp(event.ts)", "seconds since 1970"),
    ("timestamp(null)", "timestamp needs"),
    ("timestamp(1e300)", "timestamp cannot read"),
    ("timestamp('2026-03-01T12:00:00+24:00')", "no such date, time of day or offset"),
    ("duration('soon')", "as in 1h30m"),
    ("duration('.s')", "as in 1h30m"),
    ("duration('+-1s')", "as in 1h30m"),
    ("duration('00')", "as in 1h30m"),
    ("duration('9999999999999h')", "10,000 years"),
    ("duration(5)", "duration needs a string"),
    ("timestamp('9999-12-31T23:59:59Z') + duration('1s')", "years go from 1 to 9999"),
    ("timestamp('2026-03-01T12:00:00Z') + timestamp('2026-03-01T12:00:00Z')", "no meaning"),
    ("duration('1h') - timestamp('2026-03-01T12:00:00Z')", "no meaning"),
    ("event.data.at.getHours()", "getHours needs a timestamp"),
    ("duration('1h').getDate()", "getDate needs a timestamp"),
]


@pytest.mark.parametrize(("text", "reason"), FAILS)
def test_fails_with_a_reason_and_does_not_match(text: str, reason: str) -> None:
    expression = compile_expression(text)
    evaluation = expression.evaluate({"event": EVENT, "async": ASYNC})
    assert evaluation.value is None
    assert reason in (evaluation.error or "")
    assert not expression.matches({"event": EVENT, "async": ASYNC})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("event.data.n", 5),
        ("event.data.missing", None),
        ("event.data.map", {"k": 1, "v": None}),
        ("'a' + event.data.id", "ao-1"),
        ("timestamp('2026-03-01T13:00:00.5+01:00')", "2026-03-01T12:00:00.5Z"),
        ("duration('-1m30.25s')", "-90.25s"),
        ("[timestamp(0), [duration('1h')]]", ["1970-01-01T00:00:00Z", ["3600s"]]),
        ("string(timestamp(0)) + string(duration('1s'))", "1970-01-01T00:00:00Z1s"),
    ],
)
def test_values_are_json(text: str, value: Any) -> None:
    assert compile_expression(text).evaluate({"event": EVENT}).value == value


@pytest.mark.parametrize("text", ["event.data.n", "event.data.missing", "'true'", "event.data.n / 0 == 1", "1"])
def test_only_true_matches(text: str) -> None:
    assert not compile_expression(text).matches({"event": EVENT})


def test_a_missing_root_reads_as_null() -> None:
    assert compile_expression("async.data.x == null").matches({})


def test_paths_are_what_the_text_names() -> None:
    expression = compile_expression(
        "event.data.user_id == async.data['user id'] && event.data.items[0].n > 1 && event.data.user_id != ''"
        " && async.data.list.exists(i, i.x == event.ts)"
    )
    assert expression.paths == (
        ("event", "data", "user_id"),
        ("async", "data", "user id"),
        ("event", "data", "items", 0, "n"),
        ("async", "data", "list"),
        ("event", "ts"),
    )
