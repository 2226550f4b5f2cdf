"""The index may never be stricter than the evaluator, nor a stored condition mean anything else than its
text."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import strategies as st

from chalicelib.core.errors import InvalidExpression
from chalicelib.core.expressions import STORED_LIMITS, compile_expression
from chalicelib.core.expressions.render import render
from chalicelib.core.expressions.values import Scope, same
from chalicelib.core.matching import MAX_ROWS, Condition, condition_holds, explain_miss, lookup_key, plan_wait
from chalicelib.core.matching.shapes import canonical
from tests.soak.properties import TRIED, holds
from tests.unit.expressions.generated import events as any_events
from tests.unit.expressions.generated import expressions as any_expressions

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
    2**63,
    -(2**63),
    math.inf,
    5e-324,
    "é",
    "e\u0301",
    "\U0001f600",
    "\x00",
    'it\'s "\\n"\n',
]
FIELDS = ["a", "b", "c", "list", "map"]

scalars = st.sampled_from(SCALARS)
values = st.one_of(
    scalars,
    scalars,
    st.sampled_from([math.nan, "\ud800", 10**400]),  # What a literal cannot write, an event may hold.
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

literals = scalars.filter(lambda value: value != math.inf).map(lambda value: json.dumps(value, ensure_ascii=False))
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


def check(text: str, trigger: dict[str, Any], incoming: dict[str, Any]) -> str:
    """Index and condition together say what the whole text says; returns how the wait is found, and whether it is."""
    expected = compile_expression(text).matches({"event": trigger, "async": incoming})
    plan = plan_wait("x", text, trigger)
    found = any(lookup_key("x", row.shape, incoming) == row.key for row in plan.rows)
    met = condition_holds(plan.condition, incoming).value
    keyed = bool(plan.rows) and all(row.shape.paths for row in plan.rows)
    how = f"{'under keys' if keyed else 'to be scanned'}, {'met' if expected else 'not met'}"
    TRIED["waits", how] += 1
    assert len(plan.rows) <= MAX_ROWS
    assert met is expected  # Looking back evaluates without the index.
    assert (found and met) is expected
    assert not (plan.never and expected)
    assert (explain_miss(plan.condition, incoming) == ()) is met  # Whatever is missed is told, and nothing else.
    return how


@holds(500, conditions, events, events)
def test_index_and_condition_together_say_what_the_whole_expression_says(
    text: str, trigger: dict[str, Any], incoming: dict[str, Any]
) -> None:
    check(text, trigger, incoming)


def true_of(incoming: dict[str, Any]) -> list[str]:
    """Equalities that the event meets, spelled in several ways."""
    found = []
    for path in ASYNC_PATHS:
        value = compile_expression(path).evaluate({"async": incoming}).value
        if any(value is scalar for scalar in SCALARS) and value != math.inf:  # What a literal can write.
            literal = json.dumps(value, ensure_ascii=False)
            found += [f"{path} == {literal}", f"{literal} == {path}", f"!({path} != {literal})"]
            found += [f"{path} in ['?', {literal}]", *([path] if value is True else [])]
    return found or ["true"]


@st.composite
def aimed_waits(draw: st.DrawFn) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """A condition that the incoming event meets more often than not, the event that started the run, and that one."""
    incoming = draw(events)
    trigger = draw(st.sampled_from([incoming, {}]) | events)  # Often what one event says is what the other says.
    aimed_at = st.sampled_from(true_of(incoming))
    same = st.sampled_from([f"async.{rest} == event.{rest}" for rest in ("data.a", "data.b", "data.map.a", "data.c")])
    part = st.one_of(aimed_at, aimed_at, same, atoms).map(lambda text: f"({text})")
    sides = draw(st.lists(st.lists(part, min_size=1, max_size=4), min_size=1, max_size=3))
    match draw(st.integers(0, 4)):
        case 0:  # The same by De Morgan.
            text = "!(" + " && ".join("(" + " || ".join(f"!{one}" for one in side) + ")" for side in sides) + ")"
        case 1:
            text = " && ".join("(" + " || ".join(side) + ")" for side in sides)
        case 2:
            text = f"({sides[0][0]}) ? ({' && '.join(sides[0])}) : ({' || '.join(sides[-1])})"
        case _:
            text = " || ".join(" && ".join(side) for side in sides)
    return text, trigger, incoming


@pytest.mark.soak
def test_what_an_event_meets_is_found_by_its_keys() -> None:
    found: Counter[str] = Counter()

    @holds(500, aimed_waits())
    def finding_by_keys(wait: tuple[str, dict[str, Any], dict[str, Any]]) -> None:
        found[check(*wait)] += 1

    finding_by_keys()
    assert found["under keys, met"] > found.total() / 4, found  # It is the keys that are tried, not the scan.
    assert found["under keys, not met"] > found.total() / 20, found


@holds(300, any_expressions, any_events, any_events)
def test_index_and_condition_agree_on_whatever_can_be_written(
    text: str, trigger: dict[str, Any], incoming: dict[str, Any]
) -> None:
    try:
        compile_expression(text)
    except InvalidExpression:
        return
    check(text, trigger, incoming)


@holds(500, equality_conditions, few_events)
def test_no_alternative_is_lost(text: str, incoming: dict[str, Any]) -> None:
    check(text, {}, incoming)


# Values that are easily taken for each other.
alike = st.sampled_from([1, 1.0, True, "1", "true", 0, -0.0, False, None, "", "null", 2**53, 2**53 + 1, 2.0**53])
alike_literals = alike.map(lambda value: json.dumps(value, ensure_ascii=False))
pairs = st.dictionaries(st.sampled_from(["async.data.a", "async.data.b"]), alike_literals, min_size=1)
every = st.lists(pairs, min_size=1, max_size=3)
aimed = st.fixed_dictionaries({"data": st.dictionaries(st.sampled_from(["a", "b"]), alike, max_size=2)})


@holds(400, every, st.booleans(), aimed)
def test_equalities_alone_are_decided_by_the_index(
    alternatives: list[dict[str, str]], turned: bool, incoming: dict[str, Any]
) -> None:
    """Nothing but equalities: the index finds what matches and nothing else, so no candidate is read in vain."""
    sides = [[(literal, path) if turned else (path, literal) for path, literal in one.items()] for one in alternatives]
    text = " || ".join(" && ".join(f"{left} == {right}" for left, right in side) for side in sides)
    plan = plan_wait("x", text, {})
    found = any(lookup_key("x", row.shape, incoming) == row.key for row in plan.rows)
    assert found is compile_expression(text).matches({"async": incoming})
    assert all(row.shape.paths for row in plan.rows)


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


@holds(250, conditions, events, events)
def test_a_stored_condition_says_the_same(text: str, trigger: dict[str, Any], incoming: dict[str, Any]) -> None:
    condition = plan_wait("x", text, trigger).condition
    if condition is not None:
        restored = Condition.from_json(json.loads(json.dumps(condition.to_json())))
        assert condition_holds(restored, incoming) == condition_holds(condition, incoming)


@holds(250, conditions, events, events)
def test_a_folded_condition_fails_where_the_text_fails(
    text: str, trigger: dict[str, Any], incoming: dict[str, Any]
) -> None:
    """Not only which events match, but also whether there is an error, is unchanged."""
    whole = compile_expression(text).evaluate({"event": trigger, "async": incoming})
    plan = plan_wait("x", text, trigger)
    if plan.condition is not None and not plan.never and isinstance(whole.value, bool | None):
        failed = condition_holds(plan.condition, incoming).error is not None
        assert failed is (whole.error is not None or whole.value is None)


@holds(250, conditions)
def test_a_rendered_tree_reads_as_the_same_tree(text: str) -> None:
    node = compile_expression(text).node
    again = compile_expression(render(node), limits=STORED_LIMITS).node
    assert repr(again) == repr(node)  # repr tells 1 from 1.0 and true, and 0 from -0.0.


def equal(left: Any, right: Any) -> bool:
    return same(left, right, Scope({}))


@holds(
    400,
    st.one_of(values, st.integers(), st.floats(), st.text()),
    st.one_of(values, st.integers(), st.floats(), st.text()),
)
def test_canonical_texts_agree_with_equality(left: Any, right: Any) -> None:
    one, other = canonical(left), canonical(right)
    if one is not None and other is not None:
        assert (one == other) is equal(left, right)
    elif one is not None or other is not None:
        assert not equal(left, right)  # Nothing without a canonical text equals something with one.


@holds(200, st.integers(-(2**70), 2**70))
def test_canonical_integers_and_doubles_agree(number: int) -> None:
    assert (canonical(number) == canonical(float(number))) is (number == float(number))


def test_canonical_texts_of_unlike_scalars_differ() -> None:
    for left in SCALARS:
        for right in SCALARS:
            assert (canonical(left) == canonical(right)) is equal(left, right)
