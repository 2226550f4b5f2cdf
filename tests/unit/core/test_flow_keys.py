"""The key that tells starts apart."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.flow_keys import FlowKey, key_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def key(expression: str | None, **data: Any) -> FlowKey:
    return key_of(expression, {"name": "order", "data": data}, "rateLimit.key")


@given(VALUES, VALUES)
def test_two_values_have_one_key_exactly_if_they_are_the_same_json(one: Any, other: Any) -> None:
    def same(a: Any, b: Any) -> bool:
        if isinstance(a, bool) or isinstance(b, bool):
            return a is b
        if isinstance(a, list) and isinstance(b, list):
            return len(a) == len(b) and all(map(same, a, b))
        if isinstance(a, dict) and isinstance(b, dict):
            return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
        return bool(type(a) is type(b) and a == b)

    assert (key("event.data.v", v=one).digest == key("event.data.v", v=other).digest) is same(one, other)


def test_numbers_are_compared_as_numbers() -> None:
    assert key("event.data.v", v=1) == key("event.data.v", v=1.0) != key("event.data.v", v="1")
    assert key("event.data.v", v=2**53 + 1).digest != key("event.data.v", v=2**53).digest


def test_what_is_not_there_is_null_as_no_expression_is() -> None:
    assert key("event.data.nothing") == key(None) == FlowKey(key(None).digest, "null")


def test_parts_are_put_together() -> None:
    assert key('event.data.a + "-" + event.data.b', a="x", b="y").text == '"x-y"'


@pytest.mark.parametrize("expression", ["event.data.a + 1", "not an expression"])
def test_what_cannot_be_evaluated_is_null_and_says_why(expression: str) -> None:
    found = key(expression, a="text")

    assert found.digest == key(None).digest
    assert found.problem is not None
    assert found.problem.startswith("rateLimit.key could not be evaluated: ")


def test_what_has_no_canonical_form_is_null_and_says_why() -> None:
    assert "Unicode" in (key("event.data.v", v="\ud800").problem or "")


def test_a_long_value_is_cut_where_it_is_shown() -> None:
    one, other = key("event.data.v", v="x" * 100_000), key("event.data.v", v="x" * 100_001)

    assert one.text == other.text
    assert len(one.text) == 80
    assert one.digest != other.digest
