"""/v1/checkpoint, /v1/http/runs and /v1/realtime."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from chalicelib.core import ids
from chalicelib.core.ids import hashed_step_id
from tests.web.api import OLD_SIGNING_KEY, SIGNING_KEY, Answer, Api

RUN = ids.ulid(1_767_603_600_000, bytes(range(10)))
BEARER = f"Bearer {SIGNING_KEY}"
EVENT = {
    "name": "inngest/http.request",
    "data": {
        "domain": "https://shop.example",
        "method": "GET",
        "path": "/api/checkout",
        "query_params": "",
        "content_type": "",
        "ip": "",
        "body": "",
        "fn": "",
    },
}
NEW = {"run_id": RUN, "event": EVENT, "steps": [], "ts": 1, "request_version": 2, "retries": 3}
STEP = {"op": "StepRun", "id": hashed_step_id("first", 0), "displayName": "first", "data": 1}
TEAPOT = {
    "status": 418,
    "headers": {"content-type": "text/plain", "x-kind": "pot", "content-length": "3"},
    "body": '"tea"',
}


def post(api: Api, path: str, body: Any, bearer: str | None = BEARER) -> Answer:
    return api.call("POST", path, json.dumps(body).encode(), "application/json", authorization=bearer)


def ended(data: Any = TEAPOT) -> dict[str, Any]:
    return {"steps": [{"op": "RunComplete", "id": hashed_step_id("complete", 0), "data": data}]}


def test_the_whole_way(locked_api: Api) -> None:
    begun = post(locked_api, "/v1/checkpoint", NEW)
    assert begun.status == 200
    data = begun.body["data"]
    assert data["run_id"] == RUN
    assert (data["app_id"], data["fn_id"][:38]) == ("shop-example", "endpoint.3.shop-example.get-api-checko")
    assert data["token"] == data["realtime_token"]

    more = {"fn_id": data["fn_id"], "app_id": data["app_id"], "run_id": RUN, "steps": [STEP], "ts": 2}
    assert post(locked_api, f"/v1/checkpoint/{RUN}/steps", more).status == 200
    assert post(locked_api, f"/v1/checkpoint/{RUN}/steps", ended()).status == 200

    for path in (f"/v1/http/runs/{RUN}/output", f"/v1/checkpoint/{RUN}/output"):
        answer = locked_api.get(f"{path}?token={data['token']}")
        # Which status and headers an answer has, the app says: here one that no API of ours would give.
        assert (answer.status, answer.body, answer.headers["x-kind"]) == (418, "tea", "pot")


@pytest.mark.parametrize(
    ("output", "status", "body"),
    [
        ({"status": 200, "headers": {}, "body": '{"a": 1}'}, 200, {"a": 1}),
        ({"a": 1}, 200, {"a": 1}),
        ([1], 200, [1]),
        ("text", 200, "text"),
        (None, 200, None),
        ({"status": 9000, "headers": None, "body": "1"}, 200, 1),
    ],
)
def test_results_of_every_form(api: Api, output: Any, status: int, body: Any) -> None:
    token = post(api, "/v1/checkpoint", NEW | ended(output)).body["data"]["token"]

    answer = api.get(f"/v1/http/runs/{RUN}/output?token={token}")

    assert (answer.status, answer.body) == (status, body)


def test_a_result_is_opened_by_its_token_alone(locked_api: Api) -> None:
    token = post(locked_api, "/v1/checkpoint", NEW | ended({"a": 1})).body["data"]["token"]
    other = ids.ulid(1_767_603_600_000, bytes(range(1, 11)))
    strange = post(locked_api, "/v1/checkpoint", NEW | {"run_id": other}).body["data"]["token"]

    assert locked_api.get(f"/v1/http/runs/{RUN}/output?token={token}").status == 200
    for wrong in (strange, "x", token[:-1], token.upper()):
        answer = locked_api.get(f"/v1/http/runs/{RUN}/output?token={wrong}")
        assert (answer.status, answer.body["error"]) == (401, "this token does not open the result of this run")
    assert locked_api.get(f"/v1/http/runs/{RUN}/output").status == 400


def test_a_token_outlives_the_key_that_made_it_as_long_as_that_is_valid(locked_api: Api) -> None:
    token = post(locked_api, "/v1/checkpoint", NEW | ended({"a": 1})).body["data"]["token"]
    url = f"/v1/http/runs/{RUN}/output?token={token}"

    locked_api.set_keys(["first-event-key-0001"], [OLD_SIGNING_KEY, SIGNING_KEY])
    locked_api.kit.advance_only("5m")
    assert locked_api.get(url).status == 200
    locked_api.set_keys(["first-event-key-0001"], [OLD_SIGNING_KEY])
    locked_api.kit.advance_only("5m")
    assert locked_api.get(url).status == 401


def test_runs_that_did_not_end_well(api: Api) -> None:
    error = {"name": "Boom", "message": "never"}
    failed = [{"op": "StepFailed", "id": hashed_step_id("complete", 0), "error": error}]
    token = post(api, "/v1/checkpoint", NEW | {"steps": failed}).body["data"]["token"]
    answer = api.get(f"/v1/http/runs/{RUN}/output?token={token}")
    assert (answer.status, answer.body["error"]) == (500, "the run failed: Boom: never")

    other = ids.ulid(1_767_603_600_000, bytes(range(1, 11)))
    token = post(api, "/v1/checkpoint", NEW | {"run_id": other}).body["data"]["token"]
    api.call("DELETE", f"/v1/runs/{other}")
    answer = api.get(f"/v1/http/runs/{other}/output?token={token}")
    assert (answer.status, answer.body["error"]) == (409, "the run was cancelled")


def test_one_that_is_under_way_is_waited_for_and_then_asked_for_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = post(api, "/v1/checkpoint", NEW).body["data"]["token"]
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)

    answer = api.get(f"/v1/http/runs/{RUN}/output?token={token}")

    assert (answer.status, answer.body["status"], answer.headers["Retry-After"]) == (202, "running", "1")
    assert 4 <= sum(waited) <= 6

    def end_it(_seconds: float) -> None:
        post(api, f"/v1/checkpoint/{RUN}/steps", ended({"a": 1}))

    monkeypatch.setattr(time, "sleep", end_it)
    assert api.get(f"/v1/http/runs/{RUN}/output?token={token}").body == {"a": 1}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"run_id": "nonsense"}, "run_id must be a ULID"),
        ({"run_id": 7}, "run_id input should be a valid string"),
        ({"event": {"name": "other", "data": {}}}, "event.name must be 'inngest/http.request'"),
        ({"event": {"name": "inngest/http.request"}}, "event.data"),
        ({"event": []}, "event input should be a valid dictionary"),
        ({"steps": None}, "steps input should be a valid list"),
        ({"steps": [{"op": "Dance", "id": "x"}]}, "which Stepwell does not know"),
        ({"retries": 21}, "retries input should be less than or equal to 20"),
    ],
)
def test_what_is_refused(api: Api, change: dict[str, Any], says: str) -> None:
    answer = post(api, "/v1/checkpoint", NEW | change)

    assert answer.status == 400
    assert says in answer.body["error"]
    assert api.get(f"/v1/runs/{RUN}").status == 404


def test_steps_of_other_runs_are_refused(api: Api) -> None:
    api.send({"name": "demo/greet", "data": {"wait": True}})
    ours = api.kit.only_run("greet").run_id

    for run_id in (RUN, "nonsense", ours):
        answer = post(api, f"/v1/checkpoint/{run_id}/steps", {"steps": [STEP]})
        assert (answer.status, answer.body["error"]) == (404, f"there is no run {run_id!r} that an app began")


def test_stale_steps_are_refused(api: Api) -> None:
    post(api, "/v1/checkpoint", NEW | ended({"a": 1}))

    answer = post(api, f"/v1/checkpoint/{RUN}/steps", {"steps": [STEP]})

    assert answer.status == 409
    assert "has ended (Completed): stop working on it" in answer.body["error"]


def test_a_signing_key_is_asked_for(locked_api: Api) -> None:
    assert post(locked_api, "/v1/checkpoint", NEW, None).status == 401
    assert post(locked_api, f"/v1/checkpoint/{RUN}/steps", {"steps": []}, None).status == 401


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "publish"), ("POST", "publish/tee"), ("POST", "token"), ("GET", "sse")]
)
def test_there_is_no_realtime(api: Api, method: str, path: str) -> None:
    content_type = None if method == "GET" else "application/json"
    answer = api.call(method, f"/v1/realtime/{path}", b"", content_type)

    assert answer.status == 501
    assert "no realtime streams" in answer.body["error"]
