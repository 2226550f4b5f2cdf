"""Replays: of a run, of many."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.web.api import Answer, Api


def post(api: Api, path: str, body: Any = None, **more: Any) -> Answer:
    raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.call("POST", path, raw, "application/json" if body is not None else None, **more)


def greeted(api: Api, **data: Any) -> dict[str, Any]:
    api.send({"name": "demo/greet", "data": data})
    run: dict[str, Any] = api.data("/v1/runs")[0]
    return run


@pytest.mark.parametrize("body", [None, {}, {"from_step": None}])
def test_from_the_start(api: Api, body: Any) -> None:
    run = greeted(api, name="Ada")
    api.kit.advance_only("1m")

    answer = post(api, f"/v1/runs/{run['run_id']}/replay", body)

    assert answer.status == 200
    new = answer.body["data"]
    assert new == {
        "run_id": new["run_id"],
        "run_started_at": new["run_started_at"],
        "function_id": "greet",
        "function_version": 1,
        "event_id": run["event_id"],
        "status": "Queued",
        "ended_at": None,
        "original_run_id": run["run_id"],
    }
    api.kit.drain()
    shown = api.data(f"/v1/runs/{new['run_id']}")
    assert (shown["output"], shown["original_run_id"]) == ("Hello, Ada!", run["run_id"])
    assert [row["run_id"] for row in api.data("/v1/runs")] == [new["run_id"], run["run_id"]]
    assert api.data(f"/v1/runs/{run['run_id']}/timeline")[-1]["type"] == "run.replayed"
    assert api.data(f"/v1/runs/{new['run_id']}/timeline")[0]["original_run_id"] == run["run_id"]
    assert "original_run_id" not in api.data(f"/v1/runs/{run['run_id']}")


def test_from_a_step(api: Api) -> None:
    run = greeted(api, name="Ada", wait=True)
    api.send({"name": "demo/go", "data": {"who": "Ada"}})

    answer = post(api, f"/v1/runs/{run['run_id']}/replay", {"from_step": "greet"})

    api.kit.drain()
    timeline = api.data(f"/v1/runs/{answer.body['data']['run_id']}/timeline")
    assert [entry["type"] for entry in timeline] == [
        "run.created",
        "step.copied",
        "run.started",
        "step.completed",
        "run.completed",
    ]
    assert timeline[1]["step"] == "wait"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"from_step": "nothing"}, "from_step: the run has no step 'nothing'; its first are greet"),
        ({"from_step": ""}, "from_step string should have at least 1 character"),
        ({"from_step": 3}, "from_step input should be a valid string"),
        ({"step": "greet"}, "unknown field 'step'; known are from_step"),
        ([], "the body must be a JSON object"),
        (b"{", "the body is not JSON"),
    ],
)
def test_what_is_refused(api: Api, body: Any, says: str) -> None:
    run = greeted(api, name="Ada")

    answer = post(api, f"/v1/runs/{run['run_id']}/replay", body)

    assert answer.status == 400
    assert says in answer.body["error"]
    assert len(api.data("/v1/runs")) == 1


def test_a_run_that_is_not_there(api: Api) -> None:
    assert post(api, "/v1/runs/01KE6P4YM1NBW735SCXHPH8H4V/replay").status == 404
    assert post(api, "/v1/runs/nonsense/replay").status == 404


def test_a_function_that_is_gone(api: Api) -> None:
    run = greeted(api, name="Ada")
    api.kit.deploy([])

    answer = post(api, f"/v1/runs/{run['run_id']}/replay")

    assert answer.status == 409
    assert answer.body["error"].startswith("the function 'greet' is no more (neither in this deployment nor in")


def test_a_key_is_asked_for(locked_api: Api) -> None:
    assert post(locked_api, "/v1/runs/01KE6P4YM1NBW735SCXHPH8H4V/replay").status == 401


def test_many_from_its_creation_to_its_end(api: Api) -> None:
    for name in ("Ada", "Bob"):
        api.send({"name": "demo/greet", "data": {"fail": True, "name": name}})
    greeted(api, name="Cleo")
    api.kit.advance("30m")

    answer = post(api, "/v1/functions/greet/replay", {"after": "2026-01-05T09:00:00+00:00"})

    assert answer.status == 200
    created = answer.body["data"]
    assert created == {
        "id": created["id"],
        "function_id": "greet",
        "replays": "Failed",
        "after": "2026-01-05T09:00:00.000Z",
        "before": created["created_at"],
        "created_at": created["created_at"],
        "status": "Running",
        "ended_at": None,
        "looked_at": 0,
        "replayed": 0,
        "errors": 0,
    }
    api.kit.drain()
    api.kit.advance("2m")
    ended = api.data(f"/v1/replays/{created['id']}")
    assert (ended["status"], ended["looked_at"], ended["replayed"]) == ("Completed", 3, 2)
    assert api.data("/v1/replays") == [ended]
    assert len(api.data("/v1/runs")) == 5


def test_stopping_one_of_many(api: Api) -> None:
    created = post(api, "/v1/functions/greet/replay").body["data"]

    stopped = api.call("DELETE", f"/v1/replays/{created['id']}")

    assert (stopped.status, stopped.body["data"]["status"]) == (200, "Stopped")
    assert api.get("/v1/replays/01KE6P4YM1NBW735SCXHPH8H4V").status == 404


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"status": "Running"}, "status input should be 'Failed', 'Cancelled' or 'Completed'"),
        ({"before": "2100-01-01T00:00:00Z"}, "before must not lie in the future"),
        ({"after": "yesterday"}, "after must be a time such as"),
        ({"if": "true"}, "unknown field 'if'; known are status, after, before"),
    ],
)
def test_what_is_refused_of_many(api: Api, body: Any, says: str) -> None:
    answer = post(api, "/v1/functions/greet/replay", body)

    assert answer.status == 400
    assert says in answer.body["error"]
    assert api.data("/v1/replays") == []


def test_many_of_a_function_that_is_not_there(api: Api) -> None:
    assert post(api, "/v1/functions/nothing/replay").status == 404
