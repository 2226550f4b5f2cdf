"""What is easily taken for a value, and the keys for it."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.matching import lookup_keys, variant_keys
from chalicelib.core.matching.shapes import Shape, canonical
from chalicelib.core.matching.variants import near_values


@pytest.mark.parametrize(
    ("value", "near"),
    [
        # Another type.
        ("42", (42, None)),
        ("-7", (-7, None)),
        ("007", (7, None)),
        ("1.5", (1.5, None)),
        ("1e3", (1000.0, "1E3", None)),
        (42, ("42", None)),
        (42.0, ("42", None)),
        (1.5, ("1.5", None)),
        (True, ("true", None)),
        (False, ("false", None)),
        ("true", (True, "TRUE", "True", None)),
        ("False", (False, "false", "FALSE", None)),
        ("null", (None, "NULL", "Null")),
        # Spaces and letters.
        (" 42\n", (42, "42", None)),
        (" ab ", ("ab", "AB", "Ab", None)),
        ("Pro", ("pro", "PRO", None)),
        ("ada@Example.com", ("ada@example.com", "ADA@EXAMPLE.COM", "Ada@example.com", None)),
        # Nothing where there is something, and the other way round.
        ("", (None,)),
        ("  ", (None, "")),
        (None, ()),
        # What no key can be made of, or what is too long to be a slip of the pen.
        ([1], (None,)),
        ({"id": 1}, (None,)),
        (float("nan"), (None,)),
        (float("inf"), (None,)),
        (1e300, ("1e+300", None)),
        ("x" * 257, (None,)),
        ("9" * 39, (float("9" * 39), None)),
        ("1e999", ("1E999", None)),
        ("٤٢", (None,)),
    ],
)
def test_what_is_easily_taken_for_a_value(value: Any, near: tuple[Any, ...]) -> None:
    assert [(type(one), one) for one in near_values(value)] == [(type(one), one) for one in near]


def test_an_integer_that_python_refuses_to_write_is_no_slip_of_the_pen() -> None:
    assert near_values(10**5000) == (None,)


@pytest.mark.parametrize("value", ["42", " Ab ", 42, 1.5, True, None, [1]])
def test_no_value_is_taken_for_itself(value: Any) -> None:
    assert canonical(value) not in [canonical(one) for one in near_values(value)] or canonical(value) is None


def key_of(paths: tuple[str, ...], data: dict[str, Any]) -> str:
    (key,) = lookup_keys("n", Shape.of(paths), {"data": data})
    return key


ID, PLAN = "async.data.id", "async.data.plan"


def test_one_value_at_a_time_is_another_in_every_shape() -> None:
    found = list(variant_keys("n", [(ID, PLAN), (ID,), ()], {"data": {"id": "42", "plan": "Pro"}}))

    assert len(set(found)) == len(found)
    assert set(found) == {
        *(key_of((ID,), {"id": value}) for value in (42, None)),
        *(key_of((ID, PLAN), {"id": value, "plan": "Pro"}) for value in (42, None)),
        *(key_of((ID, PLAN), {"id": "42", "plan": value}) for value in ("pro", "PRO", None)),
    }


def test_the_likeliest_come_first_of_every_shape() -> None:
    found = list(variant_keys("n", [(ID,), (PLAN,)], {"data": {"id": "42", "plan": "Pro"}}))

    assert found[:2] == [key_of((ID,), {"id": 42}), key_of((PLAN,), {"plan": "pro"})]


def test_an_event_with_an_object_at_a_second_path_lies_under_no_key_of_the_shape() -> None:
    event = {"data": {"id": "42", "plan": {"name": "pro"}}}

    assert list(variant_keys("n", [(ID, PLAN)], event)) == [key_of((ID, PLAN), {"id": "42", "plan": None})]


def test_there_are_none_where_nothing_is_registered_or_nothing_is_equal_to_anything() -> None:
    assert list(variant_keys("n", [], {"data": {}})) == list(variant_keys("n", [()], {"data": {"id": 1}})) == []
