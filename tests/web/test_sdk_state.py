"""GET /v0/runs/{id}/actions, /batch and /v1/runs/{id}/jobs, as SDKs read them."""

from __future__ import annotations

import contextlib
import json
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.core.ids import hashed_step_id
from chalicelib.sdk import Batch, Context, NonRetriableError, StepError, TriggerEvent, function
from chalicelib.testing import start_stepwell
from chalicelib.web import dispatch
from tests.web.api import SIGNING_KEY, Api

UNKNOWN = "01KE6P4YM1NBW735SCXHPH8H4V"


@function(fn_id="story", trigger=TriggerEvent(event="demo/story"))
def story(ctx: Context) -> None:
    ctx.step.run("first", lambda: {"n": 1, "text": 'quotes "and" Äpfel'})
    ctx.step.run("nothing", lambda: None)
    with contextlib.suppress(StepError):
        ctx.step.run("broken", _fail)
    ctx.step.wait_for_event("met", event="demo/go", timeout="1h")
    ctx.step.sleep("nap", "2h")


def _fail() -> None:
    raise NonRetriableError("no way")


@function(fn_id="crowd", trigger=TriggerEvent(event="demo/crowd"), retries=1)
def crowd(ctx: Context) -> None:
    ctx.group.parallel(
        (
            lambda: ctx.step.run("shaky", _shake),
            lambda: ctx.step.sleep("nap", "3h"),
            lambda: ctx.step.wait_for_event("call", event="demo/call", timeout="2h"),
        )
    )


def _shake() -> None:
    raise ValueError("once more")


@function(fn_id="heavy", trigger=TriggerEvent(event="demo/heavy"))
def heavy(ctx: Context) -> None:
    for n in range(3):
        ctx.step.run(f"part-{n}", lambda: 'é"' * 600_000)
    ctx.step.sleep("nap", "1h")


@function(fn_id="batched", trigger=TriggerEvent(event="demo/batched"), batch_events=Batch(max_size=3))
def batched(ctx: Context) -> int:
    return len(ctx.events)


@pytest.fixture
def told(request: pytest.FixtureRequest) -> Iterator[Api]:
    settings: dict[str, Any] = {"DEV": "0"} if getattr(request, "param", "") == "deployed" else {}
    with start_stepwell([story, crowd, heavy, batched], **settings) as kit:
        before = dispatch.platform
        dispatch.platform = lambda: kit.platform
        try:
            api = Api(kit)
            if settings:
                api.set_keys(["first-event-key-0001"], [SIGNING_KEY])
            yield api
        finally:
            dispatch.platform = before


def test_the_steps_that_ended_in_their_order(told: Api) -> None:
    [event_id] = told.send({"name": "demo/story", "data": {"a": 1}, "user": {"id": 7}, "v": "2"}).body["ids"]
    told.send({"name": "demo/go", "data": {"b": 2}})
    run_id = told.kit.only_run("story").run_id

    answer = told.get(f"/v0/runs/{run_id}/actions")

    assert answer.status == 200
    assert list(answer.body) == [hashed_step_id(name, 0) for name in ("first", "nothing", "broken", "met")]
    first, nothing, broken, met = answer.body.values()
    assert first == {"data": {"n": 1, "text": 'quotes "and" Äpfel'}}
    assert nothing == {"data": None}
    assert set(broken) == {"error"}
    assert (broken["error"]["name"], broken["error"]["message"]) == ("NonRetriableError", "no way")
    assert (met["name"], met["data"]) == ("demo/go", {"b": 2})
    [event] = told.get(f"/v0/runs/{run_id}/batch").body
    assert event["ts"] == told.data(f"/v1/events/{event_id}")["ts"]
    assert {**event, "ts": 0} == {
        "name": "demo/story",
        "data": {"a": 1},
        "user": {"id": 7},
        "v": "2",
        "id": event_id,
        "ts": 0,
    }


def test_the_events_of_a_batch(told: Api) -> None:
    ids = told.send([{"name": "demo/batched", "data": {"n": n, "text": "é" * 20_000}} for n in range(3)]).body["ids"]
    run_id = told.kit.only_run("batched").run_id

    assert [event["data"]["n"] for event in told.get(f"/v0/runs/{run_id}/batch").body] == [0, 1, 2]
    shown = told.data(f"/v1/runs/{run_id}")
    assert (shown["event_id"], shown["event_ids"], shown["batch_id"]) == (ids[0], ids, run_id)
    for event_id in ids:
        assert [run["run_id"] for run in told.data(f"/v1/events/{event_id}/runs")] == [run_id]
    assert "event_ids" not in told.data("/v1/runs?function_id=batched")[0]


def test_a_run_of_which_no_step_has_ended_has_an_empty_map(told: Api) -> None:
    told.kit.send("demo/crowd")

    assert told.get(f"/v0/runs/{told.kit.only_run('crowd').run_id}/actions").body == {}


@pytest.mark.parametrize("path", ["actions", "batch"])
@pytest.mark.parametrize("run_id", [UNKNOWN, "nonsense"])
def test_runs_that_are_not_there(told: Api, path: str, run_id: str) -> None:
    answer = told.get(f"/v0/runs/{run_id}/{path}")

    assert answer.status == 404
    assert answer.body == {"error": f"there is no run {run_id!r}", "status": 404}


@pytest.mark.parametrize("told", ["deployed"], indirect=True)
def test_a_signing_key_is_asked_for(told: Api) -> None:
    for path in ("actions", "batch"):
        assert told.get(f"/v0/runs/{UNKNOWN}/{path}").status == 401


@pytest.mark.parametrize("told", ["deployed"], indirect=True)
def test_what_is_too_large_for_lambda_lies_in_s3(told: Api) -> None:
    told.kit.send("demo/heavy")
    path = f"/v0/runs/{told.kit.only_run('heavy').run_id}/actions"
    bearer = f"Bearer {SIGNING_KEY}"

    answer = told.call("GET", path, authorization=bearer)

    assert answer.status == 302
    assert answer.headers["Location"] == answer.body["url"]
    url = urllib.parse.urlsplit(answer.body["url"])
    query = urllib.parse.parse_qs(url.query)
    assert (query["X-Amz-Algorithm"], query["X-Amz-Expires"]) == (["AWS4-HMAC-SHA256"], ["300"])
    key = "payloads/" + url.path.rpartition("/")[2]
    stored = told.client("s3").get_object(Bucket=told.kit.platform.config.bucket, Key=key)
    steps = json.loads(stored["Body"].read())
    assert [steps[hashed_step_id(f"part-{n}", 0)]["data"][:2] for n in range(3)] == ['é"'] * 3


@pytest.mark.parametrize("told", ["deployed"], indirect=True)
def test_a_client_that_follows_no_redirect_is_told(told: Api) -> None:
    told.kit.send("demo/heavy")
    path = f"/v0/runs/{told.kit.only_run('heavy').run_id}/actions"
    python = {"X-Inngest-SDK": "inngest-py:v0.5.19"}

    answer = told.call("GET", path, authorization=f"Bearer {SIGNING_KEY}", headers=python)

    assert answer.status == 413
    assert "more than AWS Lambda lets one answer hold" in answer.body["error"]


def test_in_development_nothing_is_too_large(told: Api) -> None:
    told.kit.send("demo/heavy")
    run_id = told.kit.only_run("heavy").run_id

    assert len(told.get(f"/v0/runs/{run_id}/actions").body) == 3


def jobs(api: Api, run_id: str) -> list[tuple[Any, ...]]:
    return [
        (job["position"], job["kind"], job.get("step"), job["attempt"], job["at"][11:16])
        for job in api.data(f"/v1/runs/{run_id}/jobs")
    ]


def test_what_is_queued_for_a_run(told: Api) -> None:
    told.kit.send("demo/crowd")
    run_id = told.kit.only_run("crowd").run_id

    assert jobs(told, run_id) == [
        (0, "edge", "shaky", 1, "09:00"),
        (1, "pause", "call", 0, "11:00"),
        (2, "sleep", "nap", 0, "12:00"),
    ]
    told.call("DELETE", f"/v1/runs/{run_id}")
    assert jobs(told, run_id) == []
    assert told.get(f"/v1/runs/{UNKNOWN}/jobs").status == 404
