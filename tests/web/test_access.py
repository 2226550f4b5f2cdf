"""Who may ask: signing keys, event keys, other origins."""

from __future__ import annotations

import hashlib
import json
import logging
import re

import pytest

from app import app
from tests.web.api import OLD_SIGNING_KEY, SIGNING_KEY, Api, serve

# The last two ask for a token of the run's own.
OPEN = {
    ("GET", "/health"),
    ("GET", "/dev"),
    ("POST", "/e/{key}"),
    ("GET", "/v1/http/runs/{run_id}/output"),
    ("GET", "/v1/checkpoint/{run_id}/output"),
}
ALL = [(method, path) for path, methods in app.routes.items() for method in methods]
LOCKED = [route for route in ALL if route not in OPEN]


def address(path: str) -> str:
    return re.sub(r"{\w+}", "01KE6P4YM1NBW735SCXHPH8H4V", path)


def sdk_form(key: str) -> str:
    prefix, _, digits = key.rpartition("-")
    return f"{prefix}-{hashlib.sha256(bytes.fromhex(digits)).hexdigest()}"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer wrong",
        f"Basic {SIGNING_KEY}",
        "Bearer first-event-key-0001",
        f"Bearer {SIGNING_KEY}0",
    ],
)
def test_every_route_refuses_whoever_has_no_signing_key(locked_api: Api, header: str | None) -> None:
    assert len(LOCKED) == len(ALL) - len(OPEN)
    for method, path in LOCKED:
        answer = locked_api.call(method, address(path), authorization=header)
        assert answer.status == 401, f"{method} {path}"
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.body["status"] == 401
        assert "signing key" in answer.body["error"]


def test_every_route_lets_a_signing_key_in(locked_api: Api) -> None:
    for method, path in ALL:
        where = "/e/first-event-key-0001" if path == "/e/{key}" else address(path)
        answer = locked_api.call(method, where, authorization=f"Bearer {SIGNING_KEY}")
        assert answer.status in (200, 400, 404, 501), f"{method} {path}"


@pytest.mark.parametrize(
    "token",
    [
        SIGNING_KEY,
        OLD_SIGNING_KEY,
        sdk_form(SIGNING_KEY),
        sdk_form(OLD_SIGNING_KEY),
        sdk_form(SIGNING_KEY).rpartition("-")[2],
    ],
)
def test_each_key_works_as_it_is_and_as_sdks_send_it(locked_api: Api, token: str) -> None:
    assert locked_api.call("GET", "/v1/runs", authorization=f"Bearer {token}").status == 200


def test_health_asks_for_nothing(locked_api: Api) -> None:
    assert locked_api.get("/health").status == 200


def test_keys_are_rotated_without_a_pause(locked_api: Api) -> None:
    new = "signkey-test-" + "77" * 32
    assert locked_api.call("GET", "/v1/runs", authorization=f"Bearer {SIGNING_KEY}").status == 200
    locked_api.kit.advance_only("10s")
    locked_api.set_keys(["third-event-key-0003", "second-event-key-0002"], [new, SIGNING_KEY])

    assert locked_api.call("GET", "/v1/runs", authorization=f"Bearer {new}").status == 200
    assert locked_api.call("GET", "/v1/runs", authorization=f"Bearer {SIGNING_KEY}").status == 200
    assert locked_api.send({"name": "demo/x"}, "third-event-key-0003").status == 200
    assert locked_api.send({"name": "demo/x"}, "second-event-key-0002").status == 200
    assert locked_api.send({"name": "demo/x"}, "first-event-key-0001").status == 401


def test_without_any_key_nobody_gets_in() -> None:
    with serve(DEV="0") as api:
        assert api.call("GET", "/v1/runs", authorization=f"Bearer {SIGNING_KEY}").status == 401
        assert api.send({"name": "demo/x"}, "").status in (401, 404)


def test_in_development_no_key_is_asked_for(api: Api) -> None:
    assert api.get("/v1/runs").status == 200
    assert api.send({"name": "demo/x"}, "anything").status == 200


def test_event_keys_are_told_to_nobody(locked_api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    locked_api.send({"name": "demo/x"}, "first-event-key-0001")
    wrong = locked_api.send({"name": "demo/x"}, "secret-4")
    bad = locked_api.call("POST", "/e/first-event-key-0001", b"[", "application/json")

    told = json.dumps([wrong.body, bad.body]) + "".join(
        f"{record.getMessage()} {record.__dict__}" for record in caplog.records if record.name == "stepwell"
    )
    assert "secret-" not in told


def test_a_method_that_a_path_does_not_have(api: Api) -> None:
    answer = api.call("PUT", "/v1/runs")
    assert (answer.status, answer.body["status"]) == (405, 405)
    assert answer.body["error"] == "unsupported method: PUT"
    assert answer.headers["Allow"] == "GET"


def test_a_content_type_that_is_not_understood(api: Api) -> None:
    answer = api.call("POST", "/e/dev", b"<event/>", "application/xml")
    assert (answer.status, answer.body) == (
        415,
        {"error": "unsupported media type: application/xml", "status": 415},
    )


def test_what_nobody_thought_of_tells_nothing_of_our_insides(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_name: str) -> str:
        raise KeyError("the-inside")

    monkeypatch.setattr(api.kit.platform.services.timers, "get_mark", broken)
    answer = api.get("/health")

    assert (answer.status, answer.body["status"]) == (500, 500)
    request_id = answer.body["error"].rpartition(" ")[2]
    assert "the-inside" not in answer.body["error"]
    (record,) = [one for one in caplog.records if one.name == "stepwell" and one.exc_info]
    assert record.__dict__["request_id"] == request_id
    assert record.__dict__["route"] == "GET /health"


def test_no_other_origin_is_let_in_unless_one_is_named(api: Api) -> None:
    assert not any(name.lower().startswith("access-control") for name in api.get("/v1/runs").headers)
    assert all(entry.cors is None for methods in app.routes.values() for entry in methods.values())
