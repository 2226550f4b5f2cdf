"""GET /v1/…, DELETE /v1/runs/{id}, /health and /."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.api import Api

UNKNOWN = "01KE6P4YM1NBW735SCXHPH8H4V"


def pages(api: Api, path: str) -> tuple[list[Any], int]:
    """All rows of a list, page by page, and the number of pages."""
    rows, cursor, count = [], None, 0
    while True:
        separator = "&" if "?" in path else "?"
        body = api.get(path + (f"{separator}cursor={cursor}" if cursor else "")).body
        rows += body["data"]
        count += 1
        cursor = body["metadata"].get("cursor")
        if cursor is None:
            return rows, count
        assert count < 50


def test_events_page_by_page_newest_first(api: Api) -> None:
    sent = []
    for n in range(23):
        sent += api.send({"name": "demo/a" if n % 2 else "demo/b", "data": {"n": n}}).body["ids"]

    rows, count = pages(api, "/v1/events?limit=5")
    assert [row["internal_id"] for row in rows] == sent[::-1]
    assert count == 5
    named, count = pages(api, "/v1/events?name=demo/a&limit=4")
    assert [row["data"]["n"] for row in named] == [n for n in range(22, -1, -1) if n % 2]
    assert count == 3


def test_the_shape_of_an_event(api: Api) -> None:
    event_id = api.send({"name": "demo/x", "data": {"a": 1}, "user": {"id": 7}, "id": "x-1", "ts": 5, "v": "1"}).body[
        "ids"
    ][0]

    [row] = api.data("/v1/events?name=demo/x")
    assert row == {
        "internal_id": event_id,
        "source": "api",
        "received_at": "2026-01-05T09:00:00.001Z",
        "id": "x-1",
        "name": "demo/x",
        "data": {"a": 1},
        "user": {"id": 7},
        "ts": 5,
        "v": "1",
    }


def test_events_of_a_time(api: Api) -> None:
    for n in range(3):
        api.send({"name": "demo/x", "data": {"n": n}})
        api.kit.advance("1h")

    def seen(query: str) -> list[int]:
        return [row["data"]["n"] for row in api.data(f"/v1/events?name=demo/x&{query}")]

    assert seen("received_after=2026-01-05T09:30:00Z") == [2, 1]
    assert seen("received_before=2026-01-05T10:30:00Z") == [1, 0]
    assert seen("received_after=2026-01-05T09:30:00Z&received_before=2026-01-05T10:30:00Z") == [1]
    assert seen("received_after=2026-01-05T11:30:00Z&received_before=2026-01-05T10:30:00Z") == []
    assert seen("received_after=2026-01-05T12:30:00%2B02:00") == [2]


def test_the_audit_of_an_event(api: Api) -> None:
    started = api.send({"name": "demo/greet", "data": {"wait": True}, "id": "g-1"}).body["ids"][0]
    again = api.send({"name": "demo/greet", "data": {"wait": True}, "id": "g-1"}).body["ids"][0]
    resumed = api.send({"name": "demo/go"}).body["ids"][0]
    other = api.send({"name": "demo/greet", "data": {"wait": True}}).body["ids"][0]
    cancelled = api.send({"name": "demo/stop"}).body["ids"][0]
    broken = api.send({"name": "demo/count", "data": {"a": 1, "b": 0}}).body["ids"][0]
    idle = api.send({"name": "demo/nobody"}).body["ids"][0]

    first, second = api.kit.runs()

    def audit(event_id: str) -> dict[str, Any]:
        body = api.data(f"/v1/events/{event_id}")
        return {key: body[key] for key in ("started", "not_started", "resumed", "cancelled") if body[key]}

    def starts(event_id: str) -> list[tuple[str, str]]:
        return [(row["function_id"], row["run_id"]) for row in audit(event_id)["started"]]

    assert starts(started) == [("greet", first.run_id)]
    assert audit(again) == {
        "not_started": [{"function_id": "greet", "reason": f"the id 'g-1' already started run {first.run_id}"}]
    }
    [effect] = audit(resumed)["resumed"]
    assert (effect["run_id"], effect["at"][:19]) == (first.run_id, "2026-01-05T09:00:00")
    assert starts(other) == [("greet", second.run_id)]
    [effect] = audit(cancelled)["cancelled"]
    assert effect["run_id"] == second.run_id
    [refused] = audit(broken)["not_started"]
    assert "could not be evaluated" in refused["reason"]
    assert audit(idle) == {}
    assert api.data(f"/v1/events/{idle}")["processed_at"].startswith("2026-01-05T09:00:00")


def test_the_runs_of_an_event(api: Api) -> None:
    event_id = api.send({"name": "demo/greet", "data": {"name": "Ada"}}).body["ids"][0]
    idle = api.send({"name": "demo/nobody"}).body["ids"][0]

    [run] = api.data(f"/v1/events/{event_id}/runs")
    assert run == {
        "run_id": api.kit.only_run().run_id,
        "run_started_at": "2026-01-05T09:00:00.002Z",
        "function_id": "greet",
        "function_version": 1,
        "event_id": event_id,
        "status": "Completed",
        "ended_at": "2026-01-05T09:00:00.002Z",
        "output": "Hello, Ada!",
    }
    assert api.data(f"/v1/events/{idle}/runs") == []


def test_runs_filtered_and_page_by_page(api: Api) -> None:
    for n in range(12):
        api.send({"name": "demo/greet", "data": {"wait": n % 3 == 0, "fail": n % 3 == 1}})
        api.kit.advance("1m")
    api.send({"name": "demo/count", "data": {"a": 1, "b": 1}})

    rows, count = pages(api, "/v1/runs?limit=4")
    assert (len(rows), count) == (13, 4)
    times = [row["run_started_at"] for row in rows]
    assert times == sorted(times, reverse=True)
    assert rows[0]["function_id"] == "count"

    def statuses(query: str) -> list[str]:
        return [row["status"] for row in pages(api, f"/v1/runs?{query}")[0]]

    assert statuses("status=Running") == ["Running"] * 4
    assert statuses("status=failed&limit=3") == ["Failed"] * 4
    assert statuses("function_id=count") == ["Completed"]
    assert statuses("function_id=unknown") == []
    assert statuses("status=Cancelled") == []
    assert len(statuses("started_after=2026-01-05T09:05:30Z")) == 7
    assert len(statuses("started_before=2026-01-05T09:05:30Z&function_id=greet")) == 6
    assert statuses("started_after=2027-01-01T00:00:00Z") == []


def test_one_run_and_its_timeline(api: Api) -> None:
    event_id = api.send({"name": "demo/greet", "data": {"wait": True, "fail": True, "name": "Ada"}}).body["ids"][0]
    run_id = api.kit.only_run().run_id
    assert api.data(f"/v1/runs/{run_id}")["status"] == "Running"
    assert api.data(f"/v1/runs/{run_id}")["ended_at"] is None
    go = api.send({"name": "demo/go", "data": {"who": "Ada"}}).body["ids"][0]

    run = api.data(f"/v1/runs/{run_id}")
    assert (run["status"], run["event_id"]) == ("Failed", event_id)
    assert (run["output"]["name"], run["output"]["message"]) == ("NonRetriableError", "as you wish")
    timeline = api.data(f"/v1/runs/{run_id}/timeline")
    assert [entry["type"] for entry in timeline] == [
        "run.created",
        "run.started",
        "step.waiting",
        "step.resumed",
        "run.failed",
    ]
    assert timeline[0]["event"] == {"id": event_id, "name": "demo/greet"}
    assert timeline[2]["event"] == "demo/go"
    assert timeline[3]["cause"] == {"kind": "event", "id": go, "name": "demo/go"}
    assert all(entry["at"].endswith("Z") for entry in timeline)


def test_cancelling_a_run(api: Api) -> None:
    api.send({"name": "demo/greet", "data": {"wait": True}})
    run_id = api.kit.only_run().run_id

    answer = api.call("DELETE", f"/v1/runs/{run_id}")
    assert (answer.status, answer.body["data"]["status"]) == (200, "Cancelled")
    again = api.call("DELETE", f"/v1/runs/{run_id}")
    assert (again.status, again.body["data"]["ended_at"]) == (200, answer.body["data"]["ended_at"])
    api.kit.drain()
    api.send({"name": "demo/go"})
    assert api.data(f"/v1/runs/{run_id}")["status"] == "Cancelled"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/v1/events/{UNKNOWN}"),
        ("GET", f"/v1/events/{UNKNOWN}/runs"),
        ("GET", "/v1/events/nonsense"),
        ("GET", "/v1/events/%00"),
        ("GET", f"/v1/runs/{UNKNOWN}"),
        ("GET", f"/v1/runs/{UNKNOWN}/timeline"),
        ("GET", "/v1/runs/nonsense"),
        ("GET", f"/v1/runs/{'x' * 3000}"),
        ("DELETE", f"/v1/runs/{UNKNOWN}"),
        ("DELETE", "/v1/runs/%F0%9F%98%80"),
        ("GET", "/v1/nothing"),
        ("GET", "/v2/events"),
    ],
)
def test_what_is_not_there(api: Api, method: str, path: str) -> None:
    answer = api.call(method, path)

    assert answer.status == 404
    assert answer.body["status"] == 404
    assert "there is no" in answer.body["error"].lower()


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("limit=0", "limit must be a number from 1 to 100"),
        ("limit=101", "limit must be a number"),
        ("limit=-1", "limit must be a number"),
        ("limit=ten", "limit must be a number"),
        ("limit=%C2%B2", "limit must be a number"),
        ("limit=" + "9" * 5000, "limit must be a number"),
        ("cursor=nonsense", "cursor: this is not a cursor of an earlier page"),
        ("cursor=%C3%A9", "cursor: this is not a cursor"),
        ("cursor=AAAA", "cursor: this is not a cursor"),
        ("cursor=====", "cursor: this is not a cursor"),
        ("sort=up", "unknown parameter 'sort'; known are"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/events", "/v1/runs"])
def test_bad_parameters(api: Api, path: str, query: str, says: str) -> None:
    answer = api.get(f"{path}?{query}")

    assert answer.status == 400
    assert answer.body["status"] == 400
    assert says in answer.body["error"]


@pytest.mark.parametrize(
    "value", ["yesterday", "17", "2026-13-01", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00%2B01:00"]
)
@pytest.mark.parametrize(
    "path",
    [
        "/v1/events?received_after=",
        "/v1/events?received_before=",
        "/v1/runs?started_after=",
        "/v1/runs?started_before=",
    ],
)
def test_bad_times(api: Api, path: str, value: str) -> None:
    answer = api.get(path + value)

    assert answer.status == 400
    assert "must" in answer.body["error"]


def test_a_bad_status(api: Api) -> None:
    answer = api.get("/v1/runs?status=Sleeping")

    assert answer.status == 400
    assert answer.body["error"] == "status must be one of Queued, Running, Completed, Failed, Cancelled"


def test_empty_lists(api: Api) -> None:
    for path in ("/v1/events", "/v1/runs", "/v1/events?name=never", "/v1/events?limit=100"):
        assert api.data(path) == []


def test_health_and_index(api: Api) -> None:
    assert api.get("/health").body == {"status": "ok", "stage": "test", "functions": 3}
    index = api.get("/").body
    assert index["service"] == "stepwell"
    assert index["routes"]["POST /e/{key}"] == "Send one event, or a list of events"
