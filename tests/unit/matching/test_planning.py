"""Plans of waits: rows, conditions, warnings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.core.errors import InvalidExpression
from chalicelib.core.matching import (
    MAX_PARAMS_BYTES,
    Condition,
    Shape,
    condition_cache_info,
    condition_holds,
    explain_miss,
    lookup_key,
    plan_wait,
)

TRIGGER: dict[str, Any] = {
    "name": "shop/order",
    "data": {
        "account_id": "acc-1",
        "n": 5,
        "flag": True,
        "ids": ["a", "b"],
        "map": {"k": 1},
        "many": list(range(100)),
        "profile": {"email": "x@example.com"},
    },
}


def shapes(text: str | None) -> list[tuple[str, ...]]:
    return [row.shape.paths for row in plan_wait("shop/paid", text, TRIGGER).rows]


ID, N, FLAG = "async.data.id", "async.data.n", "async.data.flag"


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (None, [()]),
        ("  ", [()]),
        ("async.data.id == event.data.account_id", [(ID,)]),
        ("event.data.account_id == async.data.id", [(ID,)]),
        ("async.data['id'] == 'x'", [(ID,)]),
        ("async.data.id == 'x' && async.data.n == 1", [(ID, N)]),
        ("async.data.n == 1 && async.data.id == 'x'", [(ID, N)]),
        ("async.data.id == 'x' && async.data.n > 3", [(ID,)]),
        ("async.data.id == 'x' || async.data.flag == true", [(ID,), (FLAG,)]),
        ("async.data.id == 'x' || async.data.n > 3", [()]),
        ("async.data.id in ['a', 'b', 'a']", [(ID,), (ID,)]),
        ("async.data.id in event.data.ids", [(ID,), (ID,)]),
        ("async.data.id in [event.data.account_id, 'b']", [(ID,), (ID,)]),
        ("async.data.id in event.data.many", [()]),
        ("async.data.id in event.data.many && async.data.n == 1", [(N,)]),
        ("async.data.id in ['a', 'b'] && async.data.n in [1, 2, 3, 4]", [(ID, N)] * 8),
        ("async.data.id in ['a', 'b'] && async.data.n in [1, 2, 3, 4, 5]", [(ID,)] * 2),
        ("async.data.id in ['a', ['b']]", [()]),
        ("!(async.data.id != 'x')", [(ID,)]),
        ("!(async.data.id != 'x' || async.data.n != 1)", [(ID, N)]),
        ("!(async.data.id == 'x')", [()]),
        ("!(async.data.id in ['x'])", [()]),
        ("async.data.flag", [(FLAG,)]),
        ("!async.data.flag && async.data.id == 'x'", [(FLAG, ID)]),
        ("async.data.flag ? async.data.n == 1 : async.data.id == 'x'", [(FLAG, N), (FLAG, ID)]),
        ("event.data.flag ? async.data.n == 1 : async.data.id == 'x'", [(N,)]),
        ("event.data.flag && async.data.id == 'x'", [(ID,)]),
        ("!event.data.flag || async.data.id == 'x'", [(ID,)]),
        ("async.data.id == null", [(ID,)]),
        ("async.data.id == event.data.map", [()]),
        ("async.data.id == event.data.ids && async.data.n == 1", [(N,)]),
        ("async.data.id == async.data.n", [()]),
        ("async.data[event.data.account_id] == 1", [()]),
        ("async.data.n == 1 && async.data.n == 1.0", [(N,)]),
        ("async.data.n == event.data.n + 1", [(N,)]),
        ("async.data.list[0] == 1", [("async.data.list[0]",)]),
        ("async.data['a b'].c == 1", [('async.data["a b"].c',)]),
        ("async.data.n < 3", [()]),
        ("event.data.n / 0 == async.data.n || async.data.id == 'x'", [()]),
    ],
)
def test_rows(text: str | None, rows: list[tuple[str, ...]]) -> None:
    assert shapes(text) == rows


@pytest.mark.parametrize(
    ("text", "template", "params"),
    [
        ("async.data.id == event.data.account_id", "async.data.id == _[0]", ["acc-1"]),
        ("event.data.flag && async.data.n > event.data.n * 2", "async.data.n > _[0]", [10]),
        ("async.data.id in event.data.ids", "async.data.id in _[0]", [["a", "b"]]),
        ("async.data.map[event.data.account_id] == 1", "async.data.map[_[0]] == _[1]", ["acc-1", 1]),
        ("has(async.data.x) && !has(event.data.x)", "has(async.data.x)", []),
        ("async.data.id.matches('^a') && true", 'async.data.id.matches("^a")', []),
        ("async.data.d > duration('1h')", "async.data.d > duration(_[0])", ["1h"]),
        ("async.l.exists(i, i.x == event.data.n)", "async.l.exists(i, i.x == _[0])", [5]),
        ("event.data.map[async.data.k] == 1", "_[0][async.data.k] == _[1]", [{"k": 1}, 1]),
        ("(async.a || async.b) && !(async.c == 'x')", "(async.a || async.b) && !(async.c == _[0])", ["x"]),
        ("true && async.a", "async.a && _[0]", [True]),
        ("event.data.n / 0 == async.data.n", "_[0] / _[1] == async.data.n", [5, 0]),
    ],
)
def test_templates_hold_no_values(text: str, template: str, params: list[Any]) -> None:
    condition = plan_wait("shop/paid", text, TRIGGER).condition
    assert condition is not None
    assert (condition.template, list(condition.params)) == (template, params)


def test_waits_that_differ_in_values_share_one_program() -> None:
    def wait(number: int) -> Condition | None:
        trigger = {"data": {"shared_id": f"user-{number}", "least": number}}
        text = f"async.shared == event.data.shared_id && async.n >= event.data.least && async.x != '{number}'"
        return plan_wait("shop/paid", text, trigger).condition

    conditions = [wait(number) for number in range(50)]
    assert len({condition.template for condition in conditions if condition}) == 1
    before = condition_cache_info()
    for condition in conditions:
        condition_holds(condition, {"data": {}})
    after = condition_cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 49)
    assert after.maxsize is not None


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            "async.data.id == event.data.acocunt_id",
            "event.data.acocunt_id does not exist in the event that started the run; "
            "did you mean event.data.account_id?",
        ),
        (
            "async.data.id == event.data.profile.emial",
            "event.data.profile.emial does not exist in the event that started the run; "
            "did you mean event.data.profile.email?",
        ),
        (
            "async.data.id == event.account_id",
            "event.account_id does not exist in the event that started the run; did you mean event.data.account_id?",
        ),
        (
            "async.data.id == event.data.email",
            "event.data.email does not exist in the event that started the run; did you mean event.data.profile.email?",
        ),
        (
            "async.data.id == event.dta.profil.emial",
            "event.dta.profil.emial does not exist in the event that started the run; "
            "did you mean event.data.profile.email?",
        ),
        (
            "async.data.id == event.data.ids[7]",
            "event.data.ids[7] does not exist in the event that started the run",
        ),
        (
            "async.data.id == event.data.zzz",
            "event.data.zzz does not exist in the event that started the run",
        ),
        (
            "event.data.n == 5",
            "the condition never looks at async, the incoming event, so it says the same of each",
        ),
        ("event.data.n == 5", "the condition is always true: any event of this name matches"),
        ("1 == 2", "the condition can never match: it is always false"),
        ("event.data.n", "the condition can never match: it gives no boolean"),
        ("event.data.n / 0 == 1", "the condition can never match: division by zero"),
        (
            "async.data.n == 1 && async.data.n == 2",
            "the condition can never match: it asks for values that exclude each other",
        ),
    ],
)
def test_warnings(text: str, warning: str) -> None:
    assert warning in plan_wait("shop/paid", text, TRIGGER).warnings


@pytest.mark.parametrize(
    "text",
    [
        "async.data.id == event.data.account_id",
        "has(event.data.zzz) || async.data.id == 'x'",
        "(event.data.zzz == null || null != event.data.yyy) && async.data.id == 'x'",
        "event.data.ids.exists(i, i == async.data.id)",
        "async.data.zzz == 1",
    ],
)
def test_no_warnings(text: str) -> None:
    assert plan_wait("shop/paid", text, TRIGGER).warnings == ()


@pytest.mark.parametrize(
    "text", ["false", "event.data.n", "async.data.n in []", "async.data.n == 1 && async.data.n == '1'"]
)
def test_what_never_matches_lies_nowhere_and_holds_for_nothing(text: str) -> None:
    plan = plan_wait("shop/paid", text, TRIGGER)
    assert plan.never
    assert plan.rows == ()
    assert condition_holds(plan.condition, {"data": {"n": 1}}).value is False


def test_what_always_matches_needs_no_evaluation() -> None:
    plan = plan_wait("shop/paid", "event.data.flag", TRIGGER)
    assert plan.condition is None
    assert not plan.never
    assert condition_holds(None, {}).value is True


@pytest.mark.parametrize("text", ["async.data.id ==", "asnyc.data.id == 1", "'" + "\\" * 41])
def test_a_broken_condition_is_the_users_mistake(text: str) -> None:
    with pytest.raises(InvalidExpression):
        plan_wait("shop/paid", text, TRIGGER)


def test_values_taken_from_the_event_are_bounded() -> None:
    trigger = {"data": {"ids": ["x" * 100] * 1000}}
    with pytest.raises(InvalidExpression, match=f"limit is {MAX_PARAMS_BYTES} bytes"):
        plan_wait("shop/paid", "async.data.id in event.data.ids", trigger)
    assert plan_wait("shop/paid", "async.data.n == size(event.data.ids)", trigger).condition == Condition(
        "async.data.n == _[0]", (1000,)
    )


def test_values_too_deep_to_store_are_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidExpression, match="cannot be stored"):
        plan_wait("shop/paid", "async.data.id == event.data.deep", {"data": {"deep": deep}})


def test_folding_is_bounded_as_a_whole() -> None:
    nested = "event.data.many.all(a, event.data.many.all(b, a != b || true))"
    plan = plan_wait("shop/paid", f"async.data.id == 'x' && {nested} && {nested} && {nested}", TRIGGER)
    assert plan.rows[0].shape.paths == (ID,)


@pytest.mark.parametrize(
    ("waited", "incoming", "found"),
    [
        (1, 1.0, True),
        (1, True, False),
        (1, "1", False),
        (0, -0.0, True),
        (None, None, True),
        (None, "missing", True),
        (None, False, False),
        (10**400, 10**400, True),
        (10**400, 10**400 + 1, False),
        (2**53 + 1, float(2**53), False),
        ("\ud800", "\ud800", True),
        ("a", ["a"], False),
        ("a", {"a": 1}, False),
    ],
)
def test_lookup(waited: Any, incoming: Any, found: bool) -> None:
    shape = Shape.of((ID,))
    data = {} if incoming == "missing" else {"id": incoming}
    one = lookup_key("shop/paid", shape, {"data": {"id": waited}})
    assert one is not None
    assert (lookup_key("shop/paid", shape, {"data": data}) == one) is found


def test_integers_that_python_will_not_print_have_keys() -> None:
    shape = Shape.of((ID,))
    keys = [lookup_key("x", shape, {"data": {"id": 10**5000 + more}}) for more in (0, 0, 1)]
    assert keys[0] == keys[1] != keys[2]


def test_no_row_can_exist_for_a_list_an_object_or_nan() -> None:
    for value in ([1], {"a": 1}, float("nan")):
        assert lookup_key("shop/paid", Shape.of((ID,)), {"data": {"id": value}}) is None


def test_keys_are_the_same_in_every_process_and_version() -> None:
    """Rows outlive deploys: a changed key would lose every wait."""
    shape = Shape.of((N, ID))
    assert shape == Shape.of((ID, N, ID))
    assert shape.id == "95c8a245676e"
    assert lookup_key("shop/paid", shape, {"data": {"id": "x", "n": 1}}) == "bcafa6e215de96fc001bd85b44c8f675"
    assert lookup_key("shop/paid", Shape.of(()), {}) == "84bbab4a005c294a8c9f8452337a4ad9"
    assert lookup_key("shop/other", Shape.of(()), {}) != "84bbab4a005c294a8c9f8452337a4ad9"


@pytest.mark.parametrize(
    "stored",
    [{}, {"v": 2}, {"v": 1, "expression": "true"}, {"v": 1, "expression": "(", "params": "[]"}]
    + [{"v": 1, "expression": "true", "params": text} for text in ("{", "5", None)],
)
def test_a_stored_condition_that_cannot_be_read_never_holds_and_says_so(stored: dict[str, Any]) -> None:
    result = condition_holds(Condition.from_json(stored), {})
    assert result.value is False
    assert "cannot be read" in (result.error or "")


def test_the_stored_form_keeps_every_number() -> None:
    values = [10**40, 2**53 + 1, 1.0, 1, True, -0.0, 0.1, "ü\ud800"]
    stored = json.loads(json.dumps(Condition("x", tuple(values)).to_json()))
    assert repr(list(Condition.from_json(stored).params)) == repr(values)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("async.data.n", "gives no boolean"),
        ("async.data.n / 0 == 1", "division by zero"),
        ("!async.data.x", "boolean"),
    ],
)
def test_a_failed_condition_is_false_and_says_why(text: str, error: str) -> None:
    result = condition_holds(plan_wait("shop/paid", text, TRIGGER).condition, {"data": {"n": 1}})
    assert result.value is False
    assert error in (result.error or "")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("async.data.plan == 'free' && async.data.n > event.data.n", ()),
        (
            "async.data.plan == 'pro' && async.data.n > event.data.n",
            ('async.data.plan == "pro" is false: async.data.plan is "free"',),
        ),
        (
            "async.data.plan == 'pro' && async.data.account == event.data.account_id",
            (
                'async.data.plan == "pro" is false: async.data.plan is "free"',
                'async.data.account == "acc-1" is false: async.data.account is missing',
            ),
        ),
        ("async.data.n == '7'", ('async.data.n == "7" is false: async.data.n is 7',)),
        (
            "async.data.n in event.data.ids || async.data.ids == 1",
            (
                'async.data.n in ["a", "b"] || async.data.ids == 1 is false: '
                "async.data.n is 7; async.data.ids is a list of 1",
            ),
        ),
        ("async.data.n / 0 == 1", ("async.data.n / 0 == 1 fails: division by zero: async.data.n is 7",)),
        ("async.data.plan", ('async.data.plan gives no boolean: async.data.plan is "free"',)),
        ("1 == 2", ("false is false",)),
    ],
)
def test_a_miss_is_explained(text: str, lines: tuple[str, ...]) -> None:
    condition = plan_wait("shop/paid", text, TRIGGER).condition
    assert explain_miss(condition, {"data": {"plan": "free", "n": 7, "ids": [1]}}) == lines


def test_explanations_are_short_and_never_fail() -> None:
    data = {"text": "x" * 10_000, "half": "\ud800", "map": {}}
    condition = plan_wait("shop/paid", "async.data.text == 'a' && async.data.map == async.data.half", {}).condition
    lines = explain_miss(condition, {"data": data})
    assert len(lines) == 2
    assert all(len(line) < 400 for line in lines)
    assert explain_miss(None, {}) == ()
    assert explain_miss(Condition("(", ()), {}) == ("the stored condition cannot be read",)
    assert explain_miss(Condition("_[3] == 1", ()), {}) == ("the stored condition cannot be read",)


def test_what_is_told_can_be_stored() -> None:
    """Half of a surrogate pair, which JSON may bring and no store takes, is told as an escape."""
    trigger = {"data": {"ab\ud800": 1, "a": "\ud800"}}
    plan = plan_wait("x", "async.data.a == event.data.a && async.data.b == event.data['ab']", trigger)
    told = [*plan.warnings, *explain_miss(plan.condition, {"data": {"a": "\udfff"}})]
    assert ["\\ud800" in line or "\\udfff" in line for line in told] == [True, True]
    assert all(line.encode() for line in told)


def test_a_miss_by_a_huge_integer_is_explained() -> None:
    """Python refuses to write more than 4,300 digits."""
    plan = plan_wait("x", "async.data.a == 1", {})
    assert explain_miss(plan.condition, {"data": {"a": 1 << 20_000}}) == (
        "async.data.a == 1 is false: async.data.a is an integer of 20001 bits",
    )
