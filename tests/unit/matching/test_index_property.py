"""The index may never be stricter than the evaluator, nor a stored condition mean anything else than its
text."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.expressions import STORED_LIMITS, compile_expression
from chalicelib.core.expressions.render import render
from chalicelib.core.expressions.values import Scope, same
from chalicelib.core.matching import MAX_ROWS, Condition, condition_holds, lookup_key, plan_wait
from chalicelib.core.matching.shapes import canonical

SCALARS: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    1.0,
    -0.0,
    2,
    2.5,
    "1",
    "a",
    "",
    "true",
    2**53,
    2**53 + 1,
    2.0**53,
    10**40,
]
FIELDS = ["a", "b", "c", "list", "map"]

scalars = st.sampled_from(SCALARS)
values = st.one_of(
    scalars,
    st.just(math.nan),
    st.lists(scalars, max_size=3),
    st.dictionaries(st.sampled_from(FIELDS), scalars, max_size=3),
)
events = st.fixed_dictionaries({"data": st.dictionaries(st.sampled_from(FIELDS), values, max_size=5)})

EVENT_PATHS = ["event.data.a", "event.data.b", "event.data.map.a", "event.data.list[0]", "event.data.list"]
ASYNC_PATHS = ["async.data.a", "async.data.b", "async.data['c']", "async.data.map.a", "async.data.list[0]"]
OTHERS = [
    *("true", "false", "1 / 0 == 1", "async.data.a / event.data.b == 1", "async.data[event.data.a] == 1"),
    *(
        "has(async.data.a)",
        "has(event.data.map.b)",
        "async.data.a.startsWith('a')",
        "size(async.data.list) > 1",
    ),
    *("async.data.list.exists(i, i == event.data.a)", "event.data.list.all(i, i == async.data.b)"),
    *("async.data.a + 1 == event.data.b + 1", "[async.data.a, 1] == [event.data.a, 1]", "-async.data.a == 1"),
    *("async.data.a.matches('^a')", "event.data.list == async.data.list", "event.data.map == async.data.map"),
]

literals = scalars.map(lambda value: repr(value) if isinstance(value, float) else json.dumps(value))
event_paths = st.sampled_from(EVENT_PATHS)
async_paths = st.sampled_from(ASYNC_PATHS)
operands = st.one_of(literals, event_paths, async_paths, async_paths)
relations = st.sampled_from(["==", "==", "==", "!=", "<", "<=", ">", ">="])
lists = st.one_of(
    st.lists(st.one_of(literals, event_paths), max_size=4).map(lambda items: f"[{', '.join(items)}]"),
    st.sampled_from(["event.data.list", "async.data.list", "event.data.map"]),
)
atoms = st.one_of(
    st.tuples(operands, relations, operands).map(" ".join),
    st.tuples(operands, relations, operands).map(" ".join),
    st.tuples(operands, st.just("in"), lists).map(" ".join),
    st.sampled_from([*OTHERS, *EVENT_PATHS, *ASYNC_PATHS]),
)


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner.map(lambda text: f"({text})"), min_size=2, max_size=3)
    return st.one_of(
        inner.map(lambda text: f"!({text})"),
        several.map(" && ".join),
        several.map(" || ".join),
        st.tuples(inner, inner, inner).map(lambda t: f"(({t[0]}) ? ({t[1]}) : ({t[2]}))"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]}) == ({t[1]})"),
    )


conditions = st.recursive(atoms, compound, max_leaves=8)
"""Random conditions over few names and values, so that events often meet them."""

# Few enough paths and values that alternatives are often met, by the first as by the last.
few = st.sampled_from([1, 2, 1.0, True, False, None, "a"])
few_events = st.fixed_dictionaries({"data": st.dictionaries(st.sampled_from(["a", "b"]), few, max_size=2)})
few_literals = few.map(json.dumps)
equalities = st.one_of(
    st.sampled_from(["async.data.a", "async.data.b", "!async.data.a", "(true && async.data.a) == async.data.b"]),
    st.tuples(st.sampled_from(["async.data.a", "async.data.b"]), st.sampled_from(["==", "!="]), few_literals).map(
        " ".join
    ),
    st.tuples(few_literals, st.just("== async.data.a")).map(" ".join),
    st.lists(st.integers(1, 12), min_size=1, max_size=12, unique=True).map(lambda listed: f"async.data.a in {listed}"),
)
equality_conditions = st.recursive(equalities, compound, max_leaves=6)

many = settings(max_examples=400, deadline=None)


def check(text: str, trigger: dict[str, Any], incoming: dict[str, Any]) -> None:
    expected = compile_expression(text).matches({"event": trigger, "async": incoming})
    plan = plan_wait("x", text, trigger)
    found = any(lookup_key("x", row.shape, incoming) == row.key for row in plan.rows)
    holds = condition_holds(plan.condition, incoming).value
    assert len(plan.rows) <= MAX_ROWS
    assert holds is expected  # Looking back evaluates without the index.
    assert (found and holds) is expected
    assert not (plan.never and expected)


@given(conditions, events, events)
@many
def test_index_and_condition_together_say_what_the_whole_expression_says(
    text: str, trigger: dict[str, Any], incoming: dict[str, Any]
) -> None:
    check(text, trigger, incoming)


@given(equality_conditions, few_events)
@many
def test_no_alternative_is_lost(text: str, incoming: dict[str, Any]) -> None:
    check(text, {}, incoming)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 12])
@pytest.mark.parametrize("spelled", [False, True])
def test_no_alternative_is_lost_around_the_cap(count: int, spelled: bool) -> None:
    listed = list(range(count))
    text = " || ".join(f"async.data.a == {n}" for n in listed) if spelled else f"async.data.a in {listed}"
    for value in range(count + 1):
        for other in range(4):
            incoming = {"data": {"a": value, "b": other}}
            check(text, {}, incoming)
            check(f"({text}) && async.data.b in [1, 2]", {}, incoming)
            check(f"!({text})", {}, incoming)


@pytest.mark.parametrize(
    "text",
    [
        "async.data.a",
        "!async.data.a",
        "!!async.data.a",
        "!async.data.a || async.data.b",
        "!(async.data.a && async.data.b)",
        "!(async.data.a || !async.data.b)",
        "async.data.a ? async.data.b : !async.data.b",
        "async.data.a ? async.data.b == 1 : async.data.b == 'a'",
        "!(async.data.a ? async.data.b : !async.data.b)",
        "async.data.a == 1 || async.data.b == 1 || async.data.a == async.data.b",
        "async.data.a == 1 || async.data.b == 1 || async.data.b == 'a'",
        "async.data.a == 1 && async.data.b == 1 || async.data.a == null && async.data.b == null",
        "!(async.data.a != 1 || async.data.b != true)",
        "!(async.data.a != 1 && async.data.b != true)",
        "!(async.data.a in [1, null])",
        "async.data.a in [1, null] && async.data.b in [true, 'a']",
    ],
)
def test_every_value_that_is_met_is_found(text: str) -> None:
    for one, other in itertools.product(SCALARS, SCALARS):
        check(text, {}, {"data": {"a": one, "b": other}})


@given(conditions, events, events)
@many
def test_a_stored_condition_says_the_same(text: str, trigger: dict[str, Any], incoming: dict[str, Any]) -> None:
    condition = plan_wait("x", text, trigger).condition
    if condition is not None:
        restored = Condition.from_json(json.loads(json.dumps(condition.to_json())))
        assert condition_holds(restored, incoming) == condition_holds(condition, incoming)


@given(conditions, events, events)
@many
def test_a_folded_condition_fails_where_the_text_fails(
    text: str, trigger: dict[str, Any], incoming: dict[str, Any]
) -> None:
    """Not only which events match, but also whether there is an error, is unchanged."""
    whole = compile_expression(text).evaluate({"event": trigger, "async": incoming})
    plan = plan_wait("x", text, trigger)
    if plan.condition is not None and not plan.never and isinstance(whole.value, bool | None):
        failed = condition_holds(plan.condition, incoming).error is not None
        assert failed is (whole.error is not None or whole.value is None)


@given(conditions)
@many
def test_a_rendered_tree_reads_as_the_same_tree(text: str) -> None:
    node = compile_expression(text).node
    again = compile_expression(render(node), limits=STORED_LIMITS).node
    assert repr(again) == repr(node)  # repr tells 1 from 1.0 and true, and 0 from -0.0.


def equal(left: Any, right: Any) -> bool:
    return same(left, right, Scope({}))


@given(
    st.one_of(values, st.integers(), st.floats(), st.text()),
    st.one_of(values, st.integers(), st.floats(), st.text()),
)
@many
def test_canonical_texts_agree_with_equality(left: Any, right: Any) -> None:
    one, other = canonical(left), canonical(right)
    if one is not None and other is not None:
        assert (one == other) is equal(left, right)
    elif one is not None or other is not None:
        assert not equal(left, right)  # Nothing without a canonical text equals something with one.


@given(st.integers(-(2**70), 2**70))
@many
def test_canonical_integers_and_doubles_agree(number: int) -> None:
    assert (canonical(number) == canonical(float(number))) is (number == float(number))


def test_canonical_texts_of_unlike_scalars_differ() -> None:
    for left in SCALARS:
        for right in SCALARS:
            assert (canonical(left) == canonical(right)) is equal(left, right)
