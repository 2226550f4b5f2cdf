"""Events that are refused, and what the sender is told."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core import limits
from chalicelib.core.errors import InvalidEvent, LimitExceeded
from chalicelib.sdk import Context, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


BAD: list[tuple[Any, str]] = [
    ({}, "name is missing"),
    ({"name": ""}, "name: string should have at least 1 character"),
    ({"name": 7}, "name: input should be a valid string"),
    ({"name": None}, "name: input should be a valid string"),
    ({"name": "x" * 257}, "name: string should have at most 256 characters"),
    ({"name": " a"}, "name: must not begin or end with white space"),
    ({"name": "a\nb"}, "control characters"),
    ({"name": "inngest/function.finished"}, "name: names that begin with 'inngest/' are reserved"),
    ({"name": "a", "data": [1]}, "data: input should be a valid dictionary"),
    ({"name": "a", "data": "text"}, "data: input should be a valid dictionary"),
    ({"name": "a", "user": 1}, "user: input should be a valid dictionary"),
    ({"name": "a", "id": 5}, "id: input should be a valid string"),
    ({"name": "a", "id": "x" * 513}, "id: string should have at most 512 characters"),
    ({"name": "a", "ts": "now"}, "ts: input should be a valid integer"),
    ({"name": "a", "ts": 1.5}, "ts: input should be a valid integer"),
    ({"name": "a", "ts": -1}, "ts: input should be greater than or equal to 0"),
    ({"name": "a", "ts": 2**53}, "ts: input should be less than 9007199254740992"),
    ({"name": "a", "v": 2}, "v: input should be a valid string"),
    ({"name": "a", "data": deep(limits.MAX_EVENT_DEPTH + 5)}, "nested more than 100 levels deep"),
    ({"name": "a", "data": deep(5_000)}, "nested"),
    ({"name": "a", "data": {"x": "\ud800"}}, "not valid Unicode"),
    ({"name": "a\udfff"}, "not valid Unicode"),
    ({"name": "a", "data": {"\ud800": 1}}, "not valid Unicode"),
    ({"name": "a", "data": {"x": float("nan")}}, "not a JSON value"),
    ({"name": "a", "data": {"x": [float("inf")]}}, "not a JSON value"),
    ({"name": "a", "data": {"x": "x" * limits.MAX_EVENT_BYTES}}, "at most 3,145,728 are allowed"),
    ("event", "must be a JSON object with at least a name, not a string"),
    (None, "not null"),
    (17, "not a number"),
    (True, "not a boolean"),
    ([[]], "not an array"),
    ([], "the list of events is empty"),
]


@pytest.fixture(scope="module")
def kit() -> Any:
    @function(fn_id="echo", trigger=TriggerEvent(event="a"))
    def echo(ctx: Context) -> Any:
        return ctx.event.data

    with start_stepwell([echo]) as stepwell:
        yield stepwell


@pytest.mark.parametrize(("raw", "says"), BAD, ids=[says[:30] for _, says in BAD])
def test_refused_with_the_reason(kit: Stepwell, raw: Any, says: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        kit.send(raw if isinstance(raw, list) else [raw])

    assert says in str(caught.value)
    assert kit.pump.visible() == 0


def test_too_many(kit: Stepwell) -> None:
    with pytest.raises(LimitExceeded, match=r"5,001 events in one request; at most 5,000 are allowed"):
        kit.send([{"name": "b"}] * 5_001)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"a": None, "b": True, "c": 1.5, "d": [], "e": {}},
        {"n": 2**63, "m": -(2**70), "f": 1e300},
        {"unicode": "ü€😀\u2028\x00"},
        {"$ref": 1, "__class__": "x", "": "empty key"},
        {"deep": deep(limits.MAX_EVENT_DEPTH - 4)},
        {"large": "x" * 200_000},
        {"largest": "x" * (limits.MAX_EVENT_BYTES - 40)},
    ],
    ids=lambda value: str(value)[:20],
)
def test_accepted_and_handed_over_as_it_is(kit: Stepwell, data: dict[str, Any]) -> None:
    [event_id] = kit.send("a", data)

    assert kit.event(event_id)["data"] == data
    assert kit.runs("echo")[-1].output == data


def test_absent_and_null_fields(kit: Stepwell) -> None:
    kit.send([{"name": "nulls", "data": None, "user": None, "id": None, "ts": None, "v": None, "unknown": 1}])

    event = kit.events("nulls")[-1]
    assert (event["data"], event["user"], event["v"]) == ({}, {}, None)
    assert event["id"] == event["internal_id"]
    assert event["ts"] > 0
    assert "unknown" not in event
