"""POST /v1/signals and POST /v1/checkpoint/{run_id}/async."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.core.ids import hashed_step_id
from chalicelib.core.runs import Owner
from chalicelib.sdk import Context, TriggerEvent, function
from tests.scenarios.insides import items
from tests.web.api import SIGNING_KEY, Answer, Api

JSON = "application/json"
STEP = hashed_step_id("one", 0)


@function(fn_id="waiting", trigger=TriggerEvent(event="demo/signal"))
def waiting(ctx: Context) -> Any:
    found = ctx.step.wait_for_signal("wait", signal="s", timeout="1h")
    return None if found is None else found.data


def post(api: Api, path: str, body: Any, authorization: str | None = None) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.call("POST", path, raw, JSON, authorization)


def test_a_signal_is_sent_to_the_run_that_waits(api: Api) -> None:
    api.kit.deploy([waiting])
    api.send({"name": "demo/signal"})
    (run,) = api.kit.runs("waiting")
    answer = post(api, "/v1/signals", {"signal": "s", "data": {"n": 1}})

    assert (answer.status, answer.body["data"]) == (200, {"run_id": run.run_id})
    api.kit.drain()
    assert api.kit.only_run("waiting").output == {"n": 1}
    again = post(api, "/v1/signals", {"signal": "s", "data": {"n": 1}})
    assert (again.status, again.body["error"]) == (404, "no run waits for the signal 's'")


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 400, "signal is missing"),
        ({"signal": ""}, 400, "signal string should have at least 1 character"),
        ({"signal": "x" * 513}, 400, "signal string should have at most 512 characters"),
        ({"signal": 7}, 400, "signal input should be a valid string"),
        ({"signal": "s", "payload": 1}, 400, "unknown field 'payload'; known are signal, data"),
        ([], 400, "the body must be a JSON object"),
        (b"{", 400, "the body is not JSON"),
        ({"signal": "s", "data": "x" * (6 << 20)}, 413, "at most 6,291,456 are allowed"),
    ],
)
def test_signals_that_cannot_be_sent(api: Api, body: Any, status: int, said: str) -> None:
    answer = post(api, "/v1/signals", body)

    assert (answer.status, said in answer.body["error"]) == (status, True), answer.body


def test_both_ask_for_a_signing_key(locked_api: Api) -> None:
    for path, body in (("/v1/signals", {"signal": "s"}), ("/v1/checkpoint/r/async", {"qi_id": "a.b", "steps": []})):
        assert post(locked_api, path, body).status == 401
        assert post(locked_api, path, body, f"Bearer {SIGNING_KEY}").status == 404


def leased(api: Api) -> str:
    """A run whose lease a turn holds."""
    api.kit.send_only("demo/greet")
    api.kit.pump.deliver_event()
    (run_id,) = [str(item["pk"]) for item in items(api.kit, "runs") if item["sk"] == "0"]
    now = api.kit.platform.clock.now_ms()
    owner = Owner(message_id="m", nonce="n")
    api.kit.platform.services.runs.take_lease(run_id, owner, until_ms=now + 60_000, now_ms=now)
    return run_id


def test_steps_are_checkpointed(api: Api) -> None:
    run_id = leased(api)
    told = {"id": STEP, "op": "StepRun", "displayName": "one", "data": {"n": 1}, "timing": {"a": 5_000_000, "b": 0}}
    body = {"run_id": run_id, "fn_id": "f", "qi_id": "m.n", "request_id": "r", "ts": 1, "steps": [told]}
    answer = post(api, f"/v1/checkpoint/{run_id}/async", body)

    assert (answer.status, answer.body["data"]) == (200, {"run_id": run_id, "steps": 1})
    assert api.kit.run(run_id).steps["one"].output == {"n": 1}
    assert post(api, f"/v1/checkpoint/{run_id}/async", body).status == 200
    stale = post(api, f"/v1/checkpoint/{run_id}/async", body | {"qi_id": "m.another"})
    assert (stale.status, "is over; stop it" in stale.body["error"]) == (409, True)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"steps": [{"id": STEP, "op": "Sleep", "name": "1h"}]}, "only steps that have ended can be checkpointed"),
        ({"steps": [{"id": STEP, "op": "DeferAdd"}]}, "which Stepwell does not know"),
        ({"steps": "none"}, "steps input should be a valid list"),
        ({"qi_id": ""}, "qi_id string should have at least 1 character"),
        ({"run_id": "another"}, "the body 'another'"),
    ],
)
def test_checkpoints_that_cannot_be_taken(api: Api, fields: dict[str, Any], said: str) -> None:
    run_id = leased(api)
    answer = post(api, f"/v1/checkpoint/{run_id}/async", {"qi_id": "m.n", "steps": []} | fields)

    assert (answer.status, said in answer.body["error"]) == (400, True), answer.body
    assert api.kit.run(run_id).steps == {}


def test_a_checkpoint_of_no_run(api: Api) -> None:
    answer = post(api, "/v1/checkpoint/01KE0000000000000000000000/async", {"qi_id": "m.n", "steps": []})

    assert (answer.status, answer.body["error"]) == (404, "there is no run '01KE0000000000000000000000'")
