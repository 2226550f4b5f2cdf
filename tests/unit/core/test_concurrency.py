"""core.concurrency: who may take a place, and who is woken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.core import concurrency as rule
from chalicelib.core.concurrency import Slot, Waiter
from chalicelib.core.flow_control import Flow

NOW = 1_000_000
LIVE, RUN_OUT = NOW, NOW - 1


def slots(*until_ms: int) -> list[Slot]:
    return [Slot(index, f"run-{index}", "n", until) for index, until in enumerate(until_ms)]


def waiter(number: int, *, limit: int = 2, woken_at_ms: int = 0) -> Waiter:
    made = Waiter(
        run_id=f"w{number}",
        step_id=None,
        order_us=number,
        generation="g",
        fn_id="fn",
        nth=0,
        limit=limit,
        shown="",
        since_ms=0,
    )
    return replace(made, woken_at_ms=woken_at_ms)


def flow(*limits: dict[str, Any], **more: Any) -> Flow:
    return Flow.model_validate({"concurrency": list(limits), **more})


@pytest.mark.parametrize(
    ("held", "limit", "ahead", "index"),
    [
        ([], 1, 0, 0),
        ([], 1, 1, None),
        ([LIVE], 1, 0, None),
        ([RUN_OUT], 1, 0, 0),
        ([RUN_OUT], 1, 1, None),
        ([LIVE], 2, 0, 1),
        ([LIVE], 2, 1, None),
        ([LIVE, RUN_OUT, LIVE], 3, 0, 1),
        ([LIVE], 3, 1, 1),
        # A limit that was lowered: nobody begins until fewer are left than it says.
        ([RUN_OUT, LIVE, LIVE], 2, 0, None),
        ([RUN_OUT, RUN_OUT, LIVE], 2, 0, 0),
    ],
)
def test_which_place_may_be_taken(held: list[int], limit: int, ahead: int, index: int | None) -> None:
    assert rule.free_index(slots(*held), limit, ahead, NOW) == index


def test_a_place_of_its_own_is_found_whether_its_time_ran_out_or_not() -> None:
    held = slots(LIVE, RUN_OUT)

    assert [rule.held_by(held, f"run-{number}") for number in range(3)] == [*held, None]


@pytest.mark.parametrize(
    ("held", "line", "woken"),
    [
        ([LIVE, LIVE], [waiter(1)], []),
        ([LIVE], [waiter(1), waiter(2)], ["w1"]),
        ([], [waiter(1), waiter(2), waiter(3)], ["w1", "w2"]),
        ([RUN_OUT, LIVE], [waiter(1), waiter(2)], ["w1"]),
        # One that was woken just now is about to come: its place is not another's.
        ([LIVE], [waiter(1, woken_at_ms=NOW - 1), waiter(2)], []),
        ([], [waiter(1, woken_at_ms=NOW - 1), waiter(2), waiter(3)], ["w2"]),
        ([LIVE], [waiter(1, woken_at_ms=NOW - rule.WAKE_AGAIN_MS), waiter(2)], ["w1"]),
        # Functions that share a key may give it different limits.
        ([LIVE, LIVE], [waiter(1), waiter(2, limit=4)], ["w2"]),
        ([LIVE, LIVE], [waiter(1), waiter(2, limit=3)], []),
    ],
)
def test_who_is_woken(held: list[int], line: list[Waiter], woken: list[str]) -> None:
    found = rule.to_wake(slots(*held), line, lambda one: one.limit, NOW)

    assert [one.run_id for one in found] == woken


def test_who_is_woken_would_be_let_in_if_all_came_at_once_and_in_order() -> None:
    held = slots(LIVE, RUN_OUT)
    line = [waiter(number, limit=3) for number in range(5)]
    for one in rule.to_wake(held, line, lambda _: 3, NOW):
        assert rule.free_index(held, 3, 0, NOW) is not None
        held = [*(slot for slot in held if slot.is_live(NOW)), Slot(2 + one.order_us, one.run_id, "n", LIVE)]
    assert rule.free_index(held, 3, 0, NOW) is None


def claims(made: Flow, data: dict[str, Any], fn_id: str = "fn") -> tuple[rule.Claim, ...]:
    return rule.claims(fn_id, made, {"name": "e", "data": data})[0]


def test_each_value_of_a_key_has_places_of_its_own() -> None:
    made = flow({"limit": 1, "key": "event.data.user"})
    values = [1, 1.0, "1", None, True, [1], {"a": 1, "b": 2}]
    keys = [claims(made, {"user": value})[0].key for value in values]

    assert keys[0] == keys[1]
    assert len(set(keys)) == len(values) - 1
    assert claims(made, {})[0].key == keys[3]
    assert claims(made, {"user": {"b": 2, "a": 1}})[0].key == keys[6]


def test_limits_of_functions_are_apart_and_shared_ones_are_not() -> None:
    own, shared = flow({"limit": 1, "key": "event.data.user"}), flow({"limit": 1, "key": "'db'", "scope": "env"})
    account = flow({"limit": 5, "key": "event.data.name", "scope": "account"})

    assert claims(own, {}, "a")[0].key != claims(own, {}, "b")[0].key
    assert claims(shared, {}, "a")[0].key == claims(shared, {}, "b")[0].key == claims(account, {"name": "db"})[0].key


def test_two_limits_are_taken_in_one_order_whatever_order_they_were_written_in() -> None:
    one, two = {"limit": 3}, {"limit": 1, "key": "event.data.user"}
    first, second = claims(flow(one, two), {"user": 1}), claims(flow(two, one), {"user": 1})

    assert [claim.key for claim in first] == [claim.key for claim in second]
    assert {claim.limit: claim.nth for claim in first} == {3: 0, 1: 1}
    assert {claim.limit: claim.nth for claim in second} == {3: 1, 1: 0}


def test_two_limits_of_one_key_are_the_smaller_one() -> None:
    made = flow({"limit": 3, "key": "'a'", "scope": "env"}, {"limit": 2, "key": "'a'", "scope": "account"})

    assert [(claim.limit, claim.nth) for claim in claims(made, {})] == [(2, 1)]


def test_a_key_that_cannot_be_evaluated_is_null_and_told() -> None:
    made = flow({"limit": 1, "key": "event.data.user + 1"})
    found, problems = rule.claims("fn", made, {"data": {"user": "x"}})

    assert found[0].shown == "null"
    (problem,) = problems
    assert problem.startswith("concurrency.key could not be evaluated: ")


def test_a_key_whose_value_cannot_be_compared_is_null_and_told() -> None:
    made = flow({"limit": 1, "key": "event.data.user"})
    found, problems = rule.claims("fn", made, {"data": {"user": "\ud800"}})

    assert found == rule.claims("fn", made, {"data": {"user": None}})[0]
    (problem,) = problems
    assert problem.startswith("concurrency.key could not be evaluated: it holds text")


@pytest.mark.parametrize(
    ("expression", "data", "order"),
    [
        (None, {}, 0),
        ("event.data.p", {"p": 10}, -10_000_000),
        ("event.data.p", {"p": -0.5}, 500_000),
        ("event.data.p", {"p": 601}, -600_000_000),
        ("event.data.p", {"p": -1e300}, 600_000_000),
        ("event.data.p", {}, 0),
    ],
)
def test_where_a_run_stands(expression: str | None, data: dict[str, Any], order: int) -> None:
    made = flow({"limit": 1}, **({} if expression is None else {"priority": {"run": expression}}))

    assert rule.order_us(made, {"data": data}, 5) == (5 + order, None)


@pytest.mark.parametrize("value", ["high", True, [1]])
def test_a_priority_that_is_no_number_is_0_and_told(value: object) -> None:
    made = flow({"limit": 1}, priority={"run": "event.data.p"})

    order, problem = rule.order_us(made, {"data": {"p": value}}, 5)
    assert order == 5
    assert problem == "priority 'event.data.p' is 0 for this run: it gives no number"
