"""Only so many shapes for an event name, and where a wait then lies: no event may miss it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from chalicelib.core.expressions import compile_expression
from chalicelib.core.matching import (
    MAX_SHAPES,
    SCAN_SHARDS,
    Condition,
    Shape,
    behind,
    condition_holds,
    group_in,
    group_of,
    lookup_key,
    lookup_keys,
    plan_wait,
)
from tests.soak.properties import holds
from tests.unit.matching.test_index_property import aimed_waits, equality_conditions, few_events

A, B, C = "async.data.a", "async.data.b", "async.data.c"
A_RUN = "01KE0000000000000000000000"
ALL_THREE = f"{A} == 1 && {B} == 2 && {C} == 3"

shapes = st.lists(st.sampled_from([A, B, C, "async.data['c']", "async.data.map.a"]), max_size=3, unique=True).map(
    lambda paths: Shape.of(paths).paths
)
registries = st.lists(shapes, max_size=5, unique=True)


def paths_of(text: str, *registered: tuple[str, ...], most: int = 0) -> list[tuple[str, ...]]:
    return [row.shape.paths for row in plan_wait("x", text, {}, registered, max_shapes=most).rows]


def check(
    text: str, trigger: dict[str, Any], incoming: dict[str, Any], known: list[tuple[str, ...]], most: int
) -> None:
    """The event finds the wait whatever shapes are registered before it, and only its own shapes are new."""
    plan = plan_wait("x", text, trigger, known, max_shapes=most)
    placed = [key for _, key in plan.placed(A_RUN, "step")]
    looked_up = {key for row in plan.rows for key in lookup_keys("x", row.shape, incoming)}
    found = any(key.key in looked_up for key in placed)
    met = condition_holds(plan.condition, incoming).value

    assert (found and met) is compile_expression(text).matches({"event": trigger, "async": incoming})
    new = {row.shape.paths for row in plan.rows if row.shape.paths} - set(known)
    assert len(new) <= max(0, most - sum(bool(paths) for paths in known))
    assert len({key.row for key in placed}) == len(placed)


@holds(400, aimed_waits(), registries, st.integers(0, 4))
def test_no_event_misses_a_wait_whatever_shapes_there_are(
    wait: tuple[str, dict[str, Any], dict[str, Any]], known: list[tuple[str, ...]], most: int
) -> None:
    check(*wait, known, most)


@holds(400, equality_conditions, few_events, registries, st.integers(0, 4))
def test_no_alternative_is_lost_by_a_cap(
    text: str, incoming: dict[str, Any], known: list[tuple[str, ...]], most: int
) -> None:
    check(text, {}, incoming, known, most)


def test_a_wait_gets_its_own_shape_where_there_is_room_or_where_it_is_registered() -> None:
    assert paths_of(ALL_THREE, (A,), (B,), most=3) == [(A, B, C)]
    assert paths_of(ALL_THREE, (A,), (C, B, A), most=2) == [(A, B, C)]


def test_else_it_takes_the_registered_shape_that_covers_most_of_it() -> None:
    assert paths_of(ALL_THREE, (A,), (B, C), (A, "async.data.d")) == [(B, C)]
    several = [(A, B), (A, C), (B, C)]
    assert paths_of(ALL_THREE, *several) == paths_of(ALL_THREE, *several[::-1])  # The same in every process.


def test_else_any_event_of_its_name_finds_it() -> None:
    assert paths_of(ALL_THREE, ("async.data.d",)) == [()]
    assert paths_of(f"{A} == 1 || {B} == 2", (A,)) == [()]  # No need of a second row, then.


def test_alternatives_under_one_covering_key_take_one_row() -> None:
    assert paths_of(f"{A} == 1 && {B} in [1, 2, 3]", (A,)) == [(A,)]


def test_the_shape_of_what_is_scanned_takes_no_place() -> None:
    assert paths_of(f"{A} == 1", (), (B,), most=2) == [(A,)]
    assert paths_of("async.data.a > 1", (B,), most=1) == [()]


def test_a_program_that_makes_conditions_of_text_makes_only_so_many_shapes() -> None:
    known: set[tuple[str, ...]] = set()
    for number in range(200):
        known |= {row.shape.paths for row in plan_wait("x", f"async.data.key_{number} == 1", {}, known).rows}
    assert len(known - {()}) == MAX_SHAPES


def test_what_is_scanned_is_spread_by_run_and_an_event_looks_everywhere() -> None:
    plan = plan_wait("x", None, {})
    keys = {key.key for number in range(64) for _, key in plan.placed(f"run-{number}", "step")}

    assert keys == set(lookup_keys("x", Shape.of(()), {}))
    assert len(keys) == SCAN_SHARDS


def test_where_earlier_versions_put_what_is_scanned_is_looked_at() -> None:
    shape = Shape.of(())
    assert lookup_key("x", shape, {}) in lookup_keys("x", shape, {})
    assert group_in(f"{A_RUN}#step#0") is None


def test_rows_of_one_condition_lie_side_by_side_and_apart_from_those_of_others() -> None:
    one, other = (plan_wait("x", f"async.data.n > {n}", {}) for n in (1, 2))
    rows = sorted(key.row for plan in (one, other) for n in range(20) for _, key in plan.placed(f"run-{n}", "step"))
    groups = [group_in(row) for row in rows]

    assert groups == sorted(groups, key=str)
    assert set(groups) == {group_of(one.condition), group_of(other.condition)}
    first = groups[0]
    assert first is not None
    assert [row for row in rows if row > behind(first)] == rows[20:]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, Condition("true", ())),
        (Condition("_[0]", (1,)), Condition("_[0]", ("1",))),
        (Condition("_[0]", (1,)), Condition("_[0]", (True,))),
        (Condition("_[0]", (1,)), Condition("_[0]", (1.0,))),
        (Condition("a", ()), Condition("b", ())),
    ],
)
def test_unlike_conditions_have_unlike_groups(one: Condition | None, other: Condition | None) -> None:
    assert group_of(one) != group_of(other)


def test_the_names_of_groups_and_shards_stay_what_they_are() -> None:
    assert group_of(Condition("async.data.n > _[0]", (1,))) == "63df46e5d611cdf97315"
    assert lookup_keys("shop/paid", Shape.of(()), {}) == (
        "84bbab4a005c294a8c9f8452337a4ad9",
        "c464c8b4d42c608b60d657eae38e05fd",
        "b017871a543da303b1d66354aa63f11d",
        "50e90095f17fdf06572ae5dd71af2444",
    )
