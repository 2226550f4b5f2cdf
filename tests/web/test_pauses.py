"""GET /v1/pauses."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from chalicelib.aws import looking
from chalicelib.engine import query_pauses
from tests.web.api import Api
from tests.web.test_looking import pages


def start(api: Api, count: int = 1) -> list[str]:
    """Runs that wait for demo/go and are cancelled by demo/stop; their ids."""
    for _ in range(count):
        api.send({"name": "demo/greet", "data": {"wait": True}})
    return [run.run_id for run in api.kit.runs("greet")]


def test_a_wait_and_a_cancellation(api: Api) -> None:
    (run_id,) = start(api)

    (wait,) = api.data("/v1/pauses?event=demo/go")
    step_id = wait.pop("step_id")
    assert step_id in {entry.get("step_id") for entry in api.data(f"/v1/runs/{run_id}/timeline")}
    assert wait == {
        "kind": "wait",
        "event": "demo/go",
        "condition": "async.data.who == event.data.name || async.data.all == true",
        "run_id": run_id,
        "function_id": "greet",
        "step": "wait",
        "since": "2026-01-05T09:00:00.001Z",
        "until": "2026-01-05T10:00:00.002Z",
    }
    (cancel,) = api.data("/v1/pauses?event=demo/stop")
    assert (cancel["kind"], cancel["run_id"], cancel["step"]) == ("cancel", run_id, None)
    assert (cancel["condition"], cancel["until"]) == ("async.data.who != 'nobody'", "2026-01-05T10:00:00.002Z")


def test_what_a_run_waits_for(api: Api) -> None:
    first, second = start(api, 2)

    by_run = api.data(f"/v1/pauses?run_id={second}")
    assert [(row["kind"], row["event"], row["run_id"]) for row in by_run] == [
        ("wait", "demo/go", second),
        ("cancel", "demo/stop", second),
    ]
    assert [row["kind"] for row in api.data(f"/v1/pauses?run_id={first}&event=demo/stop")] == ["cancel"]
    assert api.data(f"/v1/pauses?run_id={first}&event=demo/other") == []


def test_what_is_over_is_not_told(api: Api) -> None:
    first, second = start(api, 2)
    api.call("DELETE", f"/v1/runs/{first}")
    assert [row["run_id"] for row in api.data("/v1/pauses?event=demo/go")] == [second]
    assert api.data(f"/v1/pauses?run_id={first}") == []
    api.send({"name": "demo/go", "data": {"all": True}})
    assert api.data("/v1/pauses?event=demo/go") + api.data("/v1/pauses?event=demo/stop") == []


def test_page_by_page_each_pause_is_told_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = start(api, 12)
    for part in (1, 3, 5_000):
        monkeypatch.setattr(looking, "_PAGE_ITEMS", part)
        for limit in (1, 5, 100):
            rows, _ = pages(api, f"/v1/pauses?event=demo/go&limit={limit}")
            assert sorted(row["run_id"] for row in rows) == sorted(runs), (part, limit)


def test_a_search_is_bounded_and_goes_on_with_its_cursor(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    start(api, 12)
    monkeypatch.setattr(looking, "_PAGE_ITEMS", 1)

    first = api.get("/v1/pauses?event=demo/go").body
    assert len(first["data"]) <= query_pauses.MAX_PARTS < 12
    assert first["metadata"]["cursor"]


def test_a_name_that_nobody_waits_for_is_not_searched_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    start(api)

    def searched(*_: object) -> None:
        raise AssertionError("searched")

    monkeypatch.setattr(looking.DynamoLooking, "waiting_for", searched)
    assert api.data("/v1/pauses?event=demo/greet") == []
    assert api.data("/v1/pauses?event=demo%2F%22go%22") == []


def cursor(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "name an event (event=…) or a run (run_id=…)"),
        ("?event=", "name an event"),
        ("?event=" + "x" * 300, "event must not have more than 256 characters"),
        ("?event=a&limit=0", "limit must be"),
        ("?event=a&name=b", "unknown parameter 'name'; known are limit, cursor, event, run_id"),
        ("?event=a&cursor=x", "not a cursor"),
        (f"?event=a&cursor={cursor({'key': 'a'})}", "not a cursor"),
        (f"?event=a&cursor={cursor({'key': '', 'row': 'a'})}", "not a cursor"),
        (f"?event=a&cursor={cursor({'key': 'a' * 2_000, 'row': 'a'})}", "not a cursor"),
        (f"?event=a&cursor={cursor([1])}", "not a cursor"),
    ],
)
def test_bad_parameters(api: Api, query: str, says: str) -> None:
    answer = api.get(f"/v1/pauses{query}")
    assert (answer.status, says in answer.body["error"]) == (400, True), answer


def test_a_run_that_is_not_there(api: Api) -> None:
    assert api.get("/v1/pauses?run_id=01KE6P4YM1NBW735SCXHPH8H4V").status == 404
