"""The attribute by which DynamoDB removes items is the one that the code writes, in each kind of item it stores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.aws import keys
from tests.fixtures import store
from tests.fixtures.cases import CASES
from tests.infra.test_template import RESOURCES

Item = dict[str, dict[str, Any]]
# The scheduled functions' marks: a handful of items, each written over and over. Without them sweeps begin anew.
# The apps and their version stay until they are removed.
KEPT_FOR_EVER = {("timers", keys.MARKS), ("functions", keys.APPS), ("functions", keys.REGISTRY[0])}
YEAR_2020_S, YEAR_2100_S = 1_577_836_800, 4_102_444_800


def attribute_of(table: str) -> str:
    """The attribute that the template names for a table."""
    specification = RESOURCES[f"{table.capitalize()}Table"]["Properties"]["TimeToLiveSpecification"]
    assert specification["Enabled"] is True
    name: str = specification["AttributeName"]
    return name


@pytest.fixture(scope="module")
def stored() -> Iterator[list[tuple[str, str, Item]]]:
    """One of each kind of item, as the adapters write it: case, table, item."""
    with store.empty() as empty:
        yield [
            (case.name, table, item)
            for case in CASES
            for table, items in empty.record(case)["items"].items()
            for item in items
        ]


def test_every_item_says_when_it_expires_or_is_meant_to_stay(stored: list[tuple[str, str, Item]]) -> None:
    without = [
        (case, table, item["pk"]["S"], item["sk"]["S"])
        for case, table, item in stored
        if attribute_of(table) not in item and (table, item["pk"]["S"]) not in KEPT_FOR_EVER
    ]
    assert without == []


def test_it_is_a_number_of_seconds_and_not_of_milliseconds(stored: list[tuple[str, str, Item]]) -> None:
    for case, table, item in stored:
        if (typed := item.get(attribute_of(table))) is not None:
            assert typed.keys() == {"N"}, case
            assert YEAR_2020_S < int(typed["N"]) < YEAR_2100_S, case


def test_items_of_every_table_were_seen_and_what_is_meant_to_stay_does(stored: list[tuple[str, str, Item]]) -> None:
    tables = {"events", "runs", "pauses", "timers", "functions", "limits"}
    assert {table for _, table, item in stored if attribute_of(table) in item} == tables
    marks = [item for _, table, item in stored if (table, item["pk"]["S"]) == ("timers", keys.MARKS)]
    assert marks
    assert not any(attribute_of("timers") in item for item in marks)
