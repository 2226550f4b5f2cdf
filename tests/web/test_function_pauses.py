"""POST /v1/functions/{id}/pause and /resume, and what shows it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from chalicelib.core import ids
from tests.web.api import Answer, Api
from tests.web.test_dead_letters import letters, put


def post(api: Api, path: str, body: Any = None) -> Answer:
    raw = b"" if body is None else json.dumps(body).encode()
    return api.call("POST", f"/v1/functions/{path}", raw, "application/json" if body is not None else None)


@pytest.mark.parametrize(("body", "mode"), [(None, "queue"), ({}, "queue"), ({"mode": "skip"}, "skip")])
def test_the_function_shows_how_and_since_when(api: Api, body: Any, mode: str) -> None:
    answer = post(api, "greet/pause", body)

    paused = {"mode": mode, "since": "2026-01-05T09:00:00.000Z"}
    assert (answer.status, answer.body["data"]["paused"]) == (200, paused)
    assert api.data("/v1/functions/greet")["paused"] == paused
    shown = {row["id"]: row.get("paused") for row in api.data("/v1/functions")}
    assert (shown["greet"], shown["count"]) == (paused, None)

    answer = post(api, "greet/resume")
    assert answer.status == 200
    assert "paused" not in answer.body["data"]
    assert "paused" not in api.data("/v1/functions/greet")


def test_what_waits_is_in_its_queue_until_it_is_resumed(api: Api) -> None:
    post(api, "greet/pause")
    api.send({"name": "demo/greet", "data": {"name": "Ada"}})

    (row,) = api.data("/v1/functions/greet/queue")
    (run,) = api.data("/v1/runs")
    assert row == {
        "run_id": run["run_id"],
        "step_id": None,
        "reason": "paused",
        "limit": None,
        "scope": None,
        "key": None,
        "key_value": None,
        "since": row["since"],
        "woken_at": None,
        "expected_start": None,
    }
    assert run["status"] == "Queued"

    post(api, "greet/resume")
    api.kit.drain()
    assert api.data("/v1/functions/greet/queue") == []
    assert api.data("/v1/runs")[0]["output"] == "Hello, Ada!"


def test_an_event_that_is_skipped_says_so(api: Api) -> None:
    post(api, "greet/pause", {"mode": "skip"})
    (event_id,) = api.send({"name": "demo/greet", "data": {"name": "Ada"}}).body["ids"]

    event = api.data(f"/v1/events/{event_id}")
    assert event["started"] == []
    (row,) = event["not_started"]
    assert row["function_id"] == "greet"
    assert row["reason"].startswith("the function was paused since 2026-01-05T09:00:00.000Z")


def test_resuming_what_is_not_paused_changes_nothing(api: Api) -> None:
    answer = post(api, "greet/resume")
    assert answer.status == 200
    assert answer.body["data"]["id"] == "greet"


@pytest.mark.parametrize("act", ["pause", "resume"])
def test_a_function_that_is_not_there(api: Api, act: str) -> None:
    answer = post(api, f"nobody/{act}")
    assert answer.status == 404
    assert "there is no function 'nobody'" in answer.body["error"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"mode": "stop"}, "mode input should be 'queue' or 'skip'"),
        ({"until": 1}, "unknown field 'until'"),
        ([], "must be a JSON object"),
    ],
)
def test_what_is_no_pause(api: Api, body: Any, says: str) -> None:
    answer = post(api, "greet/pause", body)
    assert answer.status == 400
    assert says in answer.body["error"]
    assert "paused" not in api.data("/v1/functions/greet")


def test_a_function_whose_runs_an_app_begins_cannot_be_paused(api: Api) -> None:
    event = {"name": "inngest/http.request", "data": {"domain": "https://a.example", "method": "GET", "path": "/"}}
    run_id = ids.ulid(api.kit.platform.clock.now_ms(), b"0" * 10)
    body = json.dumps({"run_id": run_id, "event": event, "steps": [], "retries": 1}).encode()
    begun = api.call("POST", "/v1/checkpoint", body, "application/json")
    assert begun.status == 200, begun.body
    fn_id = api.data(f"/v1/runs/{run_id}")["function_id"]

    answer = post(api, f"{quote(fn_id, safe='')}/pause")
    assert answer.status == 409
    assert "an app begins these runs" in answer.body["error"]


def test_the_message_of_a_resume_among_the_dead_letters(api: Api) -> None:
    post(api, "greet/pause")
    post(api, "greet/resume")
    (message,) = api.kit.pump.hold("events")
    put(api, "events", message["body"])

    (letter,) = letters(api)
    assert (letter["kind"], letter["run_id"]) == ("resume", None)
