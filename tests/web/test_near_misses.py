"""GET /v1/events/{id}: why not?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.aws import looking
from chalicelib.aws.pauses import pause_write
from chalicelib.engine import near_misses
from chalicelib.sdk import Cancel, Context, TriggerEvent, WaitFor, function
from chalicelib.testing import Stepwell, start_stepwell
from chalicelib.testing.session import kit_session
from tests.web.api import Api

PAID = "async.data.order == event.data.order && async.data.plan == 'pro' && async.data.total >= event.data.least"


@function(
    fn_id="order",
    trigger=TriggerEvent(event="shop/order.placed"),
    cancel=Cancel(
        event="shop/order.cancelled", if_exp="async.data.order == event.data.order && async.data.by == 'buyer'"
    ),
)
def order(ctx: Context) -> None:
    ctx.step.wait_for_event("paid", event="shop/order.paid", if_exp=PAID, timeout="1d")


@function(fn_id="first-of", trigger=TriggerEvent(event="shop/first.placed"))
def first_of(ctx: Context) -> None:
    awaited = [WaitFor("shop/order.paid", "async.data.total > 1000"), WaitFor("shop/order.lost", "async.data.sure")]
    ctx.step.wait_for_any("either", awaited, timeout="1d")


@function(fn_id="anything", trigger=TriggerEvent(event="shop/anything.placed"))
def anything(ctx: Context) -> None:
    ctx.step.run("later", lambda: None)
    ctx.step.sleep("a while", "1m")
    ctx.step.wait_for_event("any", event="shop/any", timeout="1d")


@function(fn_id="broken", trigger=TriggerEvent(event="shop/broken.placed"))
def broken(ctx: Context) -> None:
    ctx.step.wait_for_event("some", event="shop/some", if_exp="10 / async.data.n > 1", timeout="1d")


@function(fn_id="listed", trigger=TriggerEvent(event="shop/list.placed"))
def listed(ctx: Context) -> None:
    ctx.step.wait_for_event("some", event="shop/listed", if_exp="async.data.items.exists(x, x > 3)", timeout="1d")


@pytest.fixture
def kit() -> Iterator[Stepwell]:
    with start_stepwell([order, first_of, anything, broken, listed]) as started:
        yield started


def sent(kit: Stepwell, name: str, data: dict[str, Any] | None = None) -> str:
    """The id of an event that was sent and processed."""
    (event_id,) = kit.send(name, data or {})
    return event_id


def missed(kit: Stepwell, name: str, data: dict[str, Any]) -> list[dict[str, Any]]:
    """What an event nearly met that resumed and cancelled nobody."""
    told = kit.event(sent(kit, name, data))
    assert told["resumed"] == told["cancelled"] == []
    found: list[dict[str, Any]] = told["nearly_met"]["pauses"]
    return found


def reasons(kit: Stepwell, name: str, data: dict[str, Any]) -> list[str]:
    return [row["because"] for row in missed(kit, name, data)]


def place(kit: Stepwell, name: str, least: int = 50) -> str:
    """The run of an order that waits."""
    kit.send("shop/order.placed", {"order": name, "least": least})
    return kit.runs("order")[-1].run_id


@pytest.mark.parametrize(
    ("data", "because"),
    [
        # Under the event's own key, the rest does not hold.
        ({"order": "o-1", "plan": "pro", "total": 49}, "async.data.total >= 50 is false: async.data.total is 49"),
        ({"order": "o-1", "plan": "pro"}, "async.data.total >= 50 is false: async.data.total is missing"),
        # Under the key of what is easily taken for it.
        (
            {"order": "O-1", "plan": "pro", "total": 50},
            'async.data.order == "o-1" is false: async.data.order is "O-1"',
        ),
        (
            {"order": "o-1", "plan": " pro", "total": 50},
            'async.data.plan == "pro" is false: async.data.plan is " pro"',
        ),
        # Anywhere else.
        (
            {"order": "o-1", "plan": "free", "total": 50},
            'async.data.plan == "pro" is false: async.data.plan is "free"',
        ),
        ({"order": "o-2", "plan": "pro", "total": 50}, 'async.data.order == "o-1" is false: async.data.order is "o-2"'),
        (
            {"order": ["o-1"], "plan": "pro", "total": 50},
            'async.data.order == "o-1" is false: async.data.order is a list of 1',
        ),
    ],
)
def test_the_one_condition_that_did_not_hold_is_told_with_both_values(
    kit: Stepwell, data: dict[str, Any], because: str
) -> None:
    run_id = place(kit, "o-1")
    (row,) = missed(kit, "shop/order.paid", data)
    assert (row["because"], row["run_id"], row["step"], row["kind"]) == (because, run_id, "paid", "wait")
    assert (row["event"], row["condition"], row["function_id"]) == ("shop/order.paid", PAID, "order")


def test_what_differs_in_two_conditions_is_not_near(kit: Stepwell) -> None:
    place(kit, "o-1")
    assert missed(kit, "shop/order.paid", {"order": "o-2", "plan": "free", "total": 50}) == []
    assert missed(kit, "shop/order.other", {"order": "o-1", "plan": "pro", "total": 49}) == []


def test_a_condition_that_cannot_be_evaluated_says_so(kit: Stepwell) -> None:
    kit.send("shop/broken.placed")
    assert reasons(kit, "shop/some", {"n": 0}) == ["10 / async.data.n > 1 fails: division by zero: async.data.n is 0"]


def test_cancellations_and_each_of_several_events(kit: Stepwell) -> None:
    run_id = place(kit, "o-1")
    kit.send("shop/first.placed")
    (row,) = missed(kit, "shop/order.cancelled", {"order": "o-1", "by": "seller"})
    assert (row["kind"], row["run_id"], row["step"]) == ("cancel", run_id, None)
    assert row["because"] == 'async.data.by == "buyer" is false: async.data.by is "seller"'
    assert reasons(kit, "shop/order.paid", {"total": 1}) == ["async.data.total > 1000 is false: async.data.total is 1"]
    assert reasons(kit, "shop/order.lost", {}) == ["async.data.sure gives no boolean: async.data.sure is missing"]


def test_an_event_that_came_before_its_wait_says_when(kit: Stepwell) -> None:
    kit.send("shop/anything.placed")
    early = sent(kit, "shop/any")
    assert kit.event(early)["nearly_met"] == {"pauses": [], "is_complete": True}  # Nothing waits yet.
    kit.advance("1m")
    (row,) = kit.event(early)["nearly_met"]["pauses"]
    assert row["because"].startswith("it was accepted too early, at 2026-01-05T09:00:")
    assert f"after {row['since']}" in row["because"]
    # One that came before the run itself missed nothing.
    kit.send("shop/anything.placed")
    kit.advance("1m")
    assert len(kit.event(early)["nearly_met"]["pauses"]) == 1


def test_what_is_met_or_over_is_not_told(kit: Stepwell) -> None:
    first = place(kit, "o-1")
    second = place(kit, "o-2")
    event_id = sent(kit, "shop/order.paid", {"order": "o-1", "plan": "pro", "total": 60})
    (row,) = kit.event(event_id)["nearly_met"]["pauses"]
    assert row["run_id"] == second
    assert [effect["run_id"] for effect in kit.event(event_id)["resumed"]] == [first]
    kit.cancel(second)
    assert kit.event(event_id)["nearly_met"] == {"pauses": [], "is_complete": True}


def test_rows_whose_wait_is_over_are_not_told(kit: Stepwell) -> None:
    """Between the end of a wait and the removal of its rows."""
    place(kit, "o-1")
    s = kit.platform.services
    (row,) = [one for one in s.pauses.scan(None, 100)[0] if one.step_id is not None]
    event_id = sent(kit, "shop/order.paid", {"order": "o-1", "plan": "pro", "total": 60})
    dynamodb: Any = kit_session().create_client("dynamodb")
    dynamodb.put_item(**pause_write(kit.platform.config.table_pauses, row).request())
    late = sent(kit, "shop/order.paid", {"order": "o-1", "plan": "pro", "total": 6})
    assert kit.event(event_id)["nearly_met"]["pauses"] == kit.event(late)["nearly_met"]["pauses"] == []


def test_the_likeliest_come_first_and_of_what_is_alike_only_some(kit: Stepwell) -> None:
    for n in range(near_misses.MOST_ALIKE + 3):
        place(kit, f"o-{n}")
    place(kit, "mine")
    event_id = sent(kit, "shop/order.paid", {"order": "mine", "plan": "pro", "total": 1})
    told = kit.event(event_id)["nearly_met"]
    assert told["is_complete"] is True  # The others differ in two conditions.
    other = kit.event(sent(kit, "shop/order.paid", {"order": "MINE", "plan": "pro", "total": 60}))["nearly_met"]
    assert 'async.data.order == "mine" is false' in other["pauses"][0]["because"]
    assert (len(other["pauses"]), other["is_complete"]) == (near_misses.MOST_ALIKE, False)


def test_a_search_is_bounded(kit: Stepwell, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(6):
        place(kit, f"o-{n}")
    event_id = sent(kit, "shop/order.paid", {"order": "x", "plan": "free", "total": 60})
    assert kit.event(event_id)["nearly_met"] == {"pauses": [], "is_complete": True}
    monkeypatch.setattr(looking, "_PAGE_ITEMS", 2)
    assert kit.event(event_id)["nearly_met"] == {"pauses": [], "is_complete": False}
    monkeypatch.undo()
    monkeypatch.setattr(near_misses, "_MOST_EXPLAINED", 3)
    assert kit.event(event_id)["nearly_met"] == {"pauses": [], "is_complete": False}


def test_what_takes_too_long_is_not_told(kit: Stepwell, monkeypatch: pytest.MonkeyPatch) -> None:
    kit.send("shop/list.placed")
    event_id = sent(kit, "shop/listed", {"items": [1] * 200})
    (row,) = kit.event(event_id)["nearly_met"]["pauses"]
    assert row["because"] == "async.data.items.exists(x, x > 3) is false: async.data.items is a list of 200"
    monkeypatch.setattr(near_misses, "_STEPS", 100)
    assert kit.event(event_id)["nearly_met"] == {"pauses": [], "is_complete": False}


def test_no_more_is_told_than_a_page_holds(kit: Stepwell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_misses, "MOST", 2)
    for n in range(4):
        place(kit, f"o-{n}")
    told = kit.event(sent(kit, "shop/order.paid", {"order": "o", "plan": "pro", "total": 60}))["nearly_met"]
    assert (len(told["pauses"]), told["is_complete"]) == (2, False)


def test_over_http(api: Api) -> None:
    api.send({"name": "demo/greet", "data": {"wait": True, "name": "Ada"}})
    event_id = api.send({"name": "demo/go", "data": {"who": "ada"}}).body["ids"][0]
    told = api.data(f"/v1/events/{event_id}")["nearly_met"]
    (row,) = told["pauses"]
    assert row["because"] == (
        'async.data.who == "Ada" || async.data.all == true is false: async.data.who is "ada"; async.data.all is missing'
    )
    assert told["is_complete"] is True
