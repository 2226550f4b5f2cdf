"""What the benchmarks reckon of DynamoDB's units, by the rules that AWS publishes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.units import item_bytes, read_units, refused_units


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "häuser"}, 7),
        ({"N": "1795731552053"}, 8),
        ({"N": "-12.5"}, 3),
        ({"B": b"1234"}, 4),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"L": [{"S": "abc"}, {"BOOL": False}]}, 3 + 4 + 2),
        ({"M": {"key": {"S": "abc"}}}, 3 + 1 + 3 + 3),
        ({"SS": ["ab", "c"]}, 3 + 3),
    ],
)
def test_a_value_is_as_large_as_it_is_said_to_be(value: dict[str, Any], size: int) -> None:
    assert item_bytes({"name": value}) == 4 + size


def item(size: int) -> dict[str, Any]:
    return {"pk": {"S": "x" * (size - 2)}}


@pytest.mark.parametrize(("size", "units"), [(100, 1), (4_096, 1), (4_097, 2), (9_000, 3)])
def test_a_consistent_read_takes_a_unit_for_4_kb_and_any_other_half_of_it(size: int, units: int) -> None:
    answer = {"Item": item(size)}

    assert read_units("GetItem", {"ConsistentRead": True}, answer) == units
    assert read_units("GetItem", {}, answer) == units / 2


def test_what_finds_nothing_is_a_read_all_the_same() -> None:
    assert read_units("GetItem", {"ConsistentRead": True}, {}) == 1
    assert read_units("Query", {"ConsistentRead": True}, {"Items": []}) == 1


def test_a_query_is_rounded_as_a_whole_and_a_batch_item_by_item() -> None:
    items = [item(1_000)] * 5
    batch = {"RequestItems": {"table": {"Keys": [{}] * 8, "ConsistentRead": True}}}
    answer = {"Responses": {"table": items}, "UnprocessedKeys": {"table": {"Keys": [{}]}}}

    assert read_units("Query", {"ConsistentRead": True}, {"Items": items}) == 2
    # Five that were found and two that are not there; what was left unprocessed is asked for again.
    assert read_units("BatchGetItem", batch, answer) == 7


def test_a_refused_write_takes_what_the_larger_item_takes() -> None:
    assert refused_units({"Key": item(10)}, {}) == 1
    assert refused_units({"Item": item(2_000)}, {"Item": item(100)}) == 2
    assert refused_units({"Item": item(100)}, {"Item": item(3_000)}) == 3
    assert refused_units({"TransactItems": [{}, {}, {}]}, {}) == 6
