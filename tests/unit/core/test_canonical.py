"""The canonical form of JSON, beside that of the library that the Python SDK uses."""

from __future__ import annotations

import json
from typing import Any

import jcs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.canonical import NoCanonicalForm, number, texts

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(VALUES)
def test_what_is_signed_is_the_form_that_the_sdk_makes(value: Any) -> None:
    sent, signed = texts(value)
    assert signed.encode() == jcs.canonicalize(value)
    assert jcs.canonicalize(json.loads(sent)) == signed.encode()


@given(VALUES)
def test_what_is_sent_is_the_same_value(value: Any) -> None:
    assert json.loads(texts(value)[0]) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_written_as_javascript_does(value: float) -> None:
    assert number(value).encode() == jcs.canonicalize(value)
    assert float(number(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (1e16, "10000000000000000"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.25e21, "1.25e+21"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e-9, "1.5e-9"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (123456.789, "123456.789"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_an_integer_that_no_double_holds_is_sent_as_it_is() -> None:
    assert texts({"n": 12345678901234567890}) == ('{"n":12345678901234567890}', '{"n":12345678901234567000}')
    assert texts([2**53, -(2**53)]) == (f"[{2**53},-{2**53}]",) * 2


def test_keys_stand_by_the_units_of_utf_16() -> None:
    assert texts({"\ue000": 1, "😀": 2, "b": 3, "a": 4})[0] == '{"a":4,"b":3,"😀":2,"\ue000":1}'


@pytest.mark.parametrize(
    "value", [{"n": float("nan")}, [float("inf")], 10**400, "\ud800", {"\udfff": 1}, {1: 2}, [{1, 2}], object()]
)
def test_what_has_no_form_is_told(value: Any) -> None:
    with pytest.raises(NoCanonicalForm, match=r"^it "):
        texts(value)


def test_what_is_nested_without_end_is_told() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(NoCanonicalForm, match="nested too deeply"):
        texts(value)
