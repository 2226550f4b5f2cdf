"""Random expressions, mostly well-typed, and random events for them to look at."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from hypothesis import strategies as st

Texts = st.SearchStrategy[str]

# What a field of an event holds; each is drawn by itself, and some are of another type than their name says.
_INTS: list[Any] = [0, 1, 2, 3, 5, -1, -7, 10, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)]
_DOUBLES: list[Any] = [0.5, 1.0, 2.5, -1.5, -0.0, 1e300, 2.0**53, math.nan, math.inf]
_TEXTS: list[Any] = ["", "a", "A", "ab", "1", "-2.5", "true", "é", "\U0001f600", 'say "hi"\n', "\\", " a ", "\uffff"]
_TIMES: list[Any] = ["2026-03-01T12:00:00Z", "1969-12-31T23:59:59.5Z", "2024-02-29T00:00:00.000001+01:00", "soon"]
_WRONG: list[Any] = [None, True, "a", 1, 1.0, [1], {"k": 1}]
_ABSENT = object()


def _field(values: list[Any]) -> st.SearchStrategy[Any]:
    """Mostly one of the values; about one time in twelve of another type or not there at all."""
    often = 12 * (len(_WRONG) + 1) // len(values)
    return st.sampled_from([*values * often, *_WRONG, _ABSENT])


_FIELDS = {
    "i": _INTS,
    "j": _INTS[:6],
    "d": _DOUBLES,
    "s": _TEXTS,
    "t": _TEXTS,
    "b": [True, False],
    "c": [True, False],
    "at": _TIMES,
    "ints": [[1, 2], [], [0, 1, 1], [3, -7, 2]],
    "strs": [["a", "b"], [], ["", "A", "a"]],
    "mix": [[1, "1", 1.0, None, True], [[1], [1.0]], [{"k": 1}], [math.nan]],
    "map": [{"k": 1, "v": None}, {}, {"a b": "x"}, {"k": {"k": [1]}}],
    "rows": [[{"n": 1, "s": "a"}, {"n": 2}], [{"n": 1.0}], []],
}
events = st.fixed_dictionaries({name: _field(values) for name, values in _FIELDS.items()}).map(
    lambda drawn: {"data": {name: value for name, value in drawn.items() if value is not _ABSENT}, "ts": 1_700_000_000}
)

_PATHS = {
    "int": ["i", "j", "ints[0]", "ints[1.0]", "map.k", "map['k']", "rows[0].n"],
    "double": ["d", "d", "rows[0].n", "mix[2]"],
    "text": ["s", "t", "strs[0]", "rows[0].s", "map['a b']"],
    "bool": ["b", "c", "mix[4]"],
    "list": ["ints", "strs", "mix", "rows"],
    "map": ["map", "rows[0]", "map.k"],
    "moment": [],
    "span": [],
}
_ELEMENTS = {"ints": "int", "strs": "text", "mix": "int", "rows": "map"}
KINDS = tuple(_PATHS)


def spelled(text: str, style: int) -> str:
    """The text as a literal, in one of six ways."""
    quote = "'" if style % 2 else '"'
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace(quote, "\\" + quote)
    match style:
        case 2 if quote not in text and "\n" not in text and not text.endswith("\\"):
            return f"r{quote}{text}{quote}"
        case 3 if "\n" in text or '"' in text:
            return quote * 3 + text.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote * 3
        case 4:
            return '"' + "".join(f"\\U{ord(char):08x}" for char in text) + '"'
        case 5:
            return "'" + "".join(f"\\{ord(c):03o}" if ord(c) < 256 else f"\\U{ord(c):08X}" for c in text) + "'"
        case 1 if text.isascii():
            return "'" + "".join(f"\\x{ord(c):02X}" if c in "'\\\n" else c for c in text) + "'"
    return f"{quote}{escaped}{quote}"


_LITERAL_TEXTS = [*_TEXTS[:-1], "it's", "'", '"', "\\'", "a\"b'c", "tab\there"]
_LETTERS = st.text(alphabet="aAb1 é\"'\\\n\u00a0", max_size=4)
_ZONES = ["Z", "+01:00", "-23:59"]
_LITERALS: dict[str, Texts] = {
    "int": st.integers(-9, 9).map(str) | st.sampled_from([*map(str, _INTS), "0x1F", "007", str(10**30)]),
    "double": st.sampled_from(["0.5", "1.0", "2.5", "-1.5", "1e3", "-0.0", "1.5E-3", "9007199254740992.0", "1e300"]),
    "text": st.builds(spelled, st.sampled_from(_LITERAL_TEXTS) | _LETTERS, st.integers(0, 5)),
    "bool": st.sampled_from(["true", "false"]),
    "list": st.sampled_from(["[]", "[1, 2]", "['a', \"b\"]", "[1, '1', 1.0, null, true]", "[[1], [1.0]]", "[0, 0.5]"]),
    "map": st.just("null"),
    "moment": st.builds(
        lambda day, second, zone: f"timestamp('20{day % 90 + 10}-0{day % 9 + 1}-28T0{day % 9}:00:{second}{zone}')",
        st.integers(0, 99),
        st.sampled_from(["00", "59.5", "01.000001"]),
        st.sampled_from(_ZONES),
    ),
    "span": st.sampled_from(["1h", "-90m", "1h30m", "1.5s", "0", "250ms", "+1us", "-.5h", "1s1h", "7d"]).map(
        lambda text: f"duration('{text}')"
    ),
}

# For each kind, how it can be made from others: {int} is an expression of that kind, {any} of whatever kind.
_TEMPLATES: dict[str, list[str]] = {
    "bool": [
        *("{bool} && {bool}", "{bool}||{bool}", "{bool} // and\n && {bool}", "!{bool}", "{bool} ? {bool} : {bool}"),
        *("{int} == {int}", "{int} == {double}", "{text} == {text}", "{any} == {any}", "{any} != {any}"),
        *("{int} < {int}", "{int}<={double}", "{double} > {double}", "{text} < {text}", "{text} >= {text}"),
        *("{moment} < {moment}", "{span} >= {span}", "{moment} == {moment}", "{span} == {span}", "{list} == {list}"),
        *("{any} < {any}", "{any} in {list}", "{int} in [{int}, {double}, {int}]", "{text} in {map}", "{any} in {any}"),
        *("{text}.startsWith({text})", "{text}.endsWith({text})", "{text}.contains({text})", "bool({text})"),
        *("{text}.matches('^a.*')", '{text}.matches(r"[\\w\\s]+$")', "matches({text}, '(?i)A|é')"),
        *("has(event.data.s)", "has(async.data.map.k)", "has(event.data.rows[0].s)", "has({map}.k)"),
    ],
    "int": [
        *(
            "{int} + {int}",
            "{int} - {int}",
            "{int}*{int}",
            "{int} / {int}",
            "{int} / {int}",
            "{int} % {int}",
            "-({int})",
            "-{int}",
        ),
        *(
            "size({list})",
            "{text}.size()",
            "size({map})",
            "int({double})",
            "int({text})",
            "int({moment})",
            "int({any})",
        ),
        *("{bool} ? {int} : {int}", "{list}[{int}]", "{list}[0]", "{map}.k", "{map}[{text}]", "{moment}.getFullYear()"),
        *("{moment}.getMonth()", "{moment}.getDate()", "{moment}.getDayOfMonth()", "{moment}.getDayOfWeek()"),
        *("{moment}.getDayOfYear()", "{moment}.getHours()", "{span}.getHours()", "{moment}.getMinutes()"),
        *("{span}.getMinutes()", "{span}.getSeconds()", "{moment}.getMilliseconds()", "{any} + {any}"),
    ],
    "double": [
        *("{double} + {double}", "{double} - {double}", "{double} * {double}", "{double} / {double}", "-({double})"),
        *("double({int})", "double({text})", "{bool} ? {double} : {double}", "{int} * {double}", "double({any})"),
    ],
    "text": [
        *("{text} + {text}", "{text}.lowerAscii()", "{text}.upperAscii()", "{text}.trim()", "string({int})"),
        *("string({double})", "string({bool})", "string({moment})", "string({span})", "string({any})"),
        *("{bool} ? {text} : {text}", "{list}[0]"),
    ],
    "list": [
        *("[{any}, {any}]", "[{int}]", "{list} + {list}", "{bool} ? {list} : {list}", "{map}.k"),
    ],
    "map": ["{bool} ? {map} : {map}", "{list}[0]"],
    "moment": [
        *("timestamp({int})", "timestamp(event.data.at)", "timestamp(async.data.at)", "{moment} + {span}"),
        *("{span} + {moment}", "{moment} - {span}", "timestamp({any})"),
    ],
    "span": ["{moment} - {moment}", "{span} + {span}", "{span} - {span}", "duration({text})"],
}
_MACROS = {
    "bool": ["exists", "all", "exists_one"],
    "list": ["filter", "map"],
}
_VARIABLES = ("x", "y")
_DEPTH = 3


@cache
def typed(kind: str, depth: int, scope: tuple[tuple[str, str], ...] = ()) -> Texts:
    """Expressions that are mostly of the kind; `scope`: the macros' variables in reach, and their kinds."""
    named = [name for name, of in scope if of == kind]
    paths = [f"{root}.data.{field}" for root in ("event", "async") for field in _PATHS[kind]]
    leaves = _LITERALS[kind] if not paths else st.sampled_from(paths) | _LITERALS[kind]
    if named:
        leaves = st.sampled_from(named) | st.sampled_from(named) | leaves
    if depth == 0:
        return leaves
    made = st.sampled_from(_TEMPLATES[kind]).flatmap(lambda template: _filled(template, depth - 1, scope))
    if kind in _MACROS and len(scope) < len(_VARIABLES):
        made = made | made | _macro(kind, depth - 1, scope)
    return made if depth == _DEPTH else made | made | leaves


def _filled(template: str, depth: int, scope: tuple[tuple[str, str], ...]) -> Texts:
    parts = template.split("{")
    inner = [_hole(part.split("}")[0], depth, scope) for part in parts[1:]]
    rest = [part.split("}")[1] for part in parts[1:]]
    return st.tuples(*inner).map(
        lambda texts: parts[0] + "".join(text + after for text, after in zip(texts, rest, strict=True))
    )


@cache
def _hole(kind: str, depth: int, scope: tuple[tuple[str, str], ...]) -> Texts:
    """What fills a place: in parentheses or, to try what binds tighter, without."""
    whole = st.sampled_from(KINDS).flatmap(lambda of: typed(of, depth, scope)) if kind == "any" else None
    inner = typed(kind, depth, scope) if whole is None else whole
    return st.tuples(inner, st.integers(0, 3)).map(lambda drawn: drawn[0] if drawn[1] == 3 else f"({drawn[0]})")


@cache
def _macro(kind: str, depth: int, scope: tuple[tuple[str, str], ...]) -> Texts:
    variable = _VARIABLES[len(scope)]

    def over(field: str, root: str, name: str) -> Texts:
        inner = ((variable, _ELEMENTS[field]), *scope)
        body = (
            typed("bool", depth, inner)
            if name != "map"
            else st.sampled_from(KINDS).flatmap(lambda of: typed(of, depth, inner))
        )
        return body.map(lambda text: f"{root}.data.{field}.{name}({variable}, {text})")

    return st.tuples(
        st.sampled_from(list(_ELEMENTS)), st.sampled_from(["event", "async"]), st.sampled_from(_MACROS[kind])
    ).flatmap(lambda drawn: over(*drawn))


expressions: Texts = st.sampled_from(["bool", "bool", "bool", *KINDS]).flatmap(lambda kind: typed(kind, _DEPTH))
"""Random expressions, most of them conditions."""
