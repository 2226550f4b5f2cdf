"""Hostile JSON as text, as it comes over the wire: values of every wrong type, numbers that no one can hold, names that
come twice, halves of surrogate pairs, depth, and bytes that are no text."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

NUMBERS = [
    *("0", "-0", "-1", "1.5", "1e308", "1e309", "-1e400", "1e-400", "9" * 40, "9" * 4_000, "9" * 6_000, "1E+999999999"),
    *(
        str(2**53),
        str(2**63),
        str(-(2**63) - 1),
        str(2**64),
        "253402300800000",
        "1" + "0" * 25,
        "00",
        "+1",
        ".5",
        "0x1",
    ),
    *("NaN", "Infinity", "-Infinity", "1_000"),
]
TEXTS = [
    *("", " ", "\x00", "\ud800", "\udfff\ud800", "\ufffe", "\uffff", "\u202e", "\ufeff", "\x7f", "\x85", "\u2028"),
    *(
        "x" * 300,
        "é" * 600,
        "\U0001f600" * 130,
        "a\r\nx-injected: 1",
        "../../etc/passwd",
        "%2f%00",
        "a/b",
        "a#b#c",
        "~",
    ),
    *("1h", "-1h", "9" * 30 + "d", "1e9s", "2026-01-05T09:00:00Z", "9999-12-31T23:59:59Z", "0000-00-00", "TZ=Mars/X"),
    *(
        "event.data.a == async.data.a",
        "event.data.",
        "(" * 40,
        "'" + "\\" * 42,
        "true",
        "event.data.x.matches('(a+)+$')",
    ),
    *("__proto__", "__class__", "constructor", "inngest/function.failed", "inngest/x", "*", "*/*", "a*b"),
    *(
        "http://127.0.0.1/",
        "http://user:pass@a.example/",
        "file:///etc/passwd",
        "https://[::1",
        "gopher://a",
        "http://a:0/",
    ),
    *("StepRun", "RunComplete", "Nonsense", "{}", "[]", '{"name": "E", "message": {}}', "null", "replace", "fail"),
]
numbers = st.sampled_from(NUMBERS)
texts = st.one_of(st.sampled_from(TEXTS), st.text(max_size=20)).map(json.dumps)
plain = st.one_of(st.sampled_from(["null", "true", "false", "[]", "{}"]), numbers, texts)


def _array(items: list[str]) -> str:
    return "[" + ",".join(items) + "]"


def _object(pairs: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in pairs) + "}"


def objects(values: st.SearchStrategy[str], names: list[str]) -> st.SearchStrategy[str]:
    """Objects with some of these names, some of them twice, and others."""
    name = st.one_of(st.sampled_from(names), st.sampled_from(["", "__proto__", "\ud800", "data", "name"]))
    return st.lists(st.tuples(name, values), max_size=8).map(_object)


def nested(values: st.SearchStrategy[str], names: list[str]) -> st.SearchStrategy[str]:
    """JSON texts of these values, some levels deep."""
    return st.recursive(
        values,
        lambda inner: st.one_of(st.lists(inner, max_size=4).map(_array), objects(inner, names)),
        max_leaves=12,
    )


def _deep(opening: str, closing: str, levels: int) -> str:
    return opening * levels + "1" + closing * levels


deep = st.builds(
    _deep, st.sampled_from(["[", '{"a":', '[{"data":']), st.just(""), st.sampled_from([50, 100_000])
) | st.sampled_from(
    [
        pair[0] * levels + "1" + pair[1] * levels
        for pair in (("[", "]"), ('{"a":', "}"), ('[{"data":', "}]"))
        for levels in (40, 60, 99, 101, 130, 300, 900, 5_000, 100_000)
    ]
)


@st.composite
def wounded(draw: st.DrawFn, good: Any, names: list[str]) -> str:
    """The text of a good value in which one or two places were replaced, left out, or said twice."""
    value = json.loads(json.dumps(good))
    places = list(_places(value))
    holes = draw(
        st.lists(st.sampled_from(places), min_size=1, max_size=2, unique_by=lambda place: (id(place[0]), place[1]))
    )
    patches: dict[str, str] = {}
    for number, (holder, key) in enumerate(holes):
        mark = f"\x01hole{number}\x01"
        patches[json.dumps(mark)] = draw(st.one_of(plain, nested(plain, names), deep))
        holder[key] = mark
    text = json.dumps(value)
    for mark, patch in patches.items():
        text = text.replace(mark, patch)
    return text


def _places(value: Any) -> Any:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(inner):
        yield value, key
        yield from _places(item)


@st.composite
def bodies(draw: st.DrawFn, texts_of_json: st.SearchStrategy[str]) -> bytes:
    """The bytes of such a text; now and then no text, or one in another encoding."""
    text = draw(texts_of_json)
    kind = draw(st.integers(0, 12))
    raw = text.encode("utf-8", "surrogatepass")
    if kind == 0:
        return raw.replace(b"a", b"\xff", 1) + b"\xc0\x80"
    if kind == 1:
        return text.encode("utf-16", "surrogatepass")
    if kind == 2:
        return b"\xef\xbb\xbf" + raw
    return raw
