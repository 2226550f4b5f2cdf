"""GET /v1/functions/{id}/queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.core import concurrency as rule
from chalicelib.core.concurrency import Slot
from chalicelib.sdk import Concurrency, Context, Throttle, TriggerEvent, function
from tests.web.api import Api, serve


@function(
    fn_id="one-of-each",
    trigger=TriggerEvent(event="demo/limited"),
    concurrency=[Concurrency(limit=1, key="event.data.user")],
)
def one_of_each(_ctx: Context) -> None:
    pass


@function(
    fn_id="paced",
    trigger=TriggerEvent(event="demo/paced"),
    concurrency=[Concurrency(limit=1)],
    throttle=Throttle(limit=1, period="1h", key="event.data.user"),
)
def paced(_ctx: Context) -> None:
    pass


@pytest.fixture
def api() -> Iterator[Api]:
    with serve(one_of_each, paced) as started:
        yield started


def hold(api: Api, fn_id: str, data: dict[str, Any], count: int) -> None:
    """Every place is taken by invocations that are still at it."""
    config = api.kit.platform.services.catalog.get(fn_id)
    assert config is not None
    now = api.kit.platform.clock.now_ms()
    claims, _ = rule.claims(fn_id, config.flow, {"data": data})
    for claim in claims:
        for index in range(count):
            assert api.kit.platform.room.lines.take(claim.key, Slot(index, f"other-{index}", "n", now + 60_000), now)


def test_what_waits_and_why_and_since_when(api: Api) -> None:
    hold(api, "one-of-each", {"user": "u1"}, 1)
    api.send({"name": "demo/limited", "data": {"user": "u1"}})
    api.send({"name": "demo/limited", "data": {"user": "u2"}})
    waiting, _ = api.kit.runs("one-of-each")

    (row,) = api.data("/v1/functions/one-of-each/queue")
    assert row == {
        "run_id": waiting.run_id,
        "step_id": None,
        "reason": "concurrency",
        "limit": 1,
        "scope": "fn",
        "key": "event.data.user",
        "key_value": '"u1"',
        "since": "2026-01-05T09:00:00.002Z",
        "woken_at": None,
        "expected_start": None,
    }
    assert [run.status for run in api.kit.runs("one-of-each")] == ["Queued", "Completed"]


def test_page_by_page_in_order(api: Api) -> None:
    for user in ("u1", "u2"):
        hold(api, "one-of-each", {"user": user}, 1)
    api.send([{"name": "demo/limited", "data": {"user": f"u{1 + number % 2}"}} for number in range(5)])
    seen: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(4):
        answer = api.call("GET", f"/v1/functions/one-of-each/queue?limit=2{cursor}").body
        seen += answer["data"]
        if "cursor" not in answer["metadata"]:
            break
        cursor = f"&cursor={answer['metadata']['cursor']}"

    assert len(seen) == 5
    runs = {run.run_id: number for number, run in enumerate(api.kit.runs("one-of-each"))}
    for user in ('"u1"', '"u2"'):
        numbers = [runs[row["run_id"]] for row in seen if row["key_value"] == user]
        assert numbers == sorted(numbers)


def test_nothing_waits(api: Api) -> None:
    assert api.data("/v1/functions/greet/queue") == []


@pytest.mark.parametrize("cursor", ["x", "e30"])
def test_a_cursor_that_is_none_of_ours(api: Api, cursor: str) -> None:
    assert api.call("GET", f"/v1/functions/greet/queue?cursor={cursor}").status == 400


def test_a_function_that_is_not_there(api: Api) -> None:
    assert api.call("GET", "/v1/functions/nobody/queue").status == 404


def test_what_a_throttle_delays_and_until_when(api: Api) -> None:
    hold(api, "paced", {}, 1)
    for user in ("u1", "u1", "u2", "u1"):
        api.send({"name": "demo/paced", "data": {"user": user}})
    first, second, third, fourth = (run.run_id for run in api.kit.runs("paced"))
    seen: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = api.call("GET", f"/v1/functions/paced/queue?limit=1{cursor}").body
        seen += answer["data"]
        if "cursor" not in answer["metadata"]:
            break
        cursor = f"&cursor={answer['metadata']['cursor']}"

    # Those whose time has come stand in line for a place, the others are listed from the newest on.
    assert [(row["run_id"], row["reason"]) for row in seen] == [
        (first, "concurrency"),
        (third, "concurrency"),
        (fourth, "throttle"),
        (second, "throttle"),
    ]
    created = api.data(f"/v1/runs/{second}")["not_before"]
    assert seen[3] == {
        "run_id": second,
        "step_id": None,
        "reason": "throttle",
        "limit": 1,
        "scope": "fn",
        "key": "event.data.user",
        "key_value": '"u1"',
        "since": "2026-01-05T09:00:00.004Z",
        "woken_at": None,
        "expected_start": created,
    }
    api.kit.advance("1h")
    assert [row["run_id"] for row in api.data("/v1/functions/paced/queue")] == [fourth]
