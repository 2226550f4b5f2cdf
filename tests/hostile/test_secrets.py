"""Keys, tokens, signatures and credentials in addresses are told to nobody: not in an answer, not in a log, not on a
timeline, whatever goes wrong."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from app import app
from chalicelib.core import ids, signing
from chalicelib.core.errors import InfrastructureError
from tests.hostile.over_http import CONTEXT, url_event
from tests.hostile.test_messages import BODIES, deliver_often, put
from tests.web.api import SIGNING_KEY, Api, serve

EVENT_KEY = "event-key-that-nobody-sees-0001"
WRONG = "signkey-test-" + "c3" * 32
RUN = ids.ulid(1_767_603_600_000, bytes(range(10)))
IN_URL = "pass-word-in-a-url"
SENT_ALONG = "sk-key-of-a-provider"


def forms(secret: str) -> set[str]:
    """How a secret might be written: as it is, hashed, in base64, in hexadecimal, quoted."""
    raw = secret.encode()
    known = {secret, hashlib.sha256(raw).hexdigest(), base64.b64encode(raw).decode(), raw.hex()}
    sent = signing.hashed(secret)
    if sent is not None:
        known |= {sent, sent.rpartition("-")[2], secret.rpartition("-")[2], signing.run_token(RUN, secret)}
    return known | {secret.replace("-", "%2D"), base64.urlsafe_b64encode(raw).decode().rstrip("=")}


SECRETS = {form for secret in (EVENT_KEY, SIGNING_KEY, WRONG, IN_URL, SENT_ALONG) for form in forms(secret)}


class Told:
    """All that is told while it listens."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def leaked(self) -> list[tuple[str, str]]:
        return [(secret, text[:300]) for text in self.texts for secret in SECRETS if secret in text]


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[Told]:
    """Everything that is logged (botocore's and urllib3's debugging apart, which nobody switches on) or printed."""
    found = Told()
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, "stepwell")
    yield found
    for record in caplog.records:
        found.texts.append(f"{record.getMessage()} {record.__dict__}")
        if record.exc_info:
            found.texts.append(logging.Formatter().formatException(record.exc_info))
    found.texts += capfd.readouterr()
    assert found.leaked() == []


@pytest.fixture
def api() -> Iterator[Api]:
    with serve(DEV="0", RETRY_TABLE="1s", MAX_RECEIVES="3") as started:
        started.set_keys([EVENT_KEY], [SIGNING_KEY])
        yield started


def ask(told: Told, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Ask, and note the answer."""
    sent = {"content-type": "application/json", **headers}
    raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = app(url_event(method, path, body=raw, headers=sent), CONTEXT)
    told.texts.append(json.dumps(answer))
    return answer["statusCode"], json.loads(answer["body"])


REQUEST = {"name": "inngest/http.request", "data": {"domain": "https://shop.example", "method": "GET", "path": "/a"}}


def test_requests_that_fail_tell_no_key(api: Api, told: Told) -> None:
    for key in (SIGNING_KEY, WRONG, f"{SIGNING_KEY}0", EVENT_KEY):
        header = {"authorization": f"Bearer {key}", "x-inngest-signature": signing.sign(b"", key, 1)}
        for resource, methods in app.routes.items():
            path = resource.replace("{key}", EVENT_KEY).replace("{run_id}", RUN)
            for method in [*methods, "PUT"]:
                # The token of a run's result is answered to whoever begins it, and meant to be.
                if resource != "/v1/checkpoint":
                    ask(told, method, path, b"{", **header)
                    ask(told, method, path, b'{"name": "a", "unknown": 1}', **header)
    assert api.kit.pump.dead_letters() == 0


def test_faults_tell_no_key(api: Api, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    header = {"authorization": f"Bearer {SIGNING_KEY}"}
    for error in (InfrastructureError("AWS is away"), KeyError("inside")):

        def broken(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        for port, method in (("runs", "head"), ("runs", "load"), ("events", "get"), ("queues", "send_events")):
            monkeypatch.setattr(getattr(api.kit.platform.services, port), method, broken)
        assert ask(told, "POST", f"/e/{EVENT_KEY}", {"name": "a"}, **header)[0] >= 500
        assert ask(told, "GET", f"/v1/runs/{RUN}", **header)[0] >= 500
        monkeypatch.undo()


ADDRESS = f"https://user:{IN_URL}@shop.example"
APP = {"appName": "a", "url": f"{ADDRESS}/x", "functions": [{"id": "f", "triggers": [{"event": "e"}]}]}
RUNTIME = {"steps": {"step": {"id": "step", "runtime": {"type": "http", "url": f"{ADDRESS}/x"}}}}


def test_an_address_with_a_password_is_refused_without_it(api: Api, told: Told) -> None:
    header = {"authorization": f"Bearer {SIGNING_KEY}"}
    begun = {"run_id": RUN, "event": {**REQUEST, "data": {**REQUEST["data"], "domain": ADDRESS}}, "steps": []}  # type: ignore[dict-item]
    for path, body in (
        ("/v1/apps/sync", {"url": f"{ADDRESS}/x"}),
        ("/v1/apps/sync", {"url": f"https://user:{IN_URL}@[::1"}),
        ("/v1/apps/sync", {"url": f"ftp://user:{IN_URL}@shop.example"}),
        ("/fn/register", APP),
        ("/fn/register", APP | {"url": "https://shop.example", "functions": [{"id": "f", "triggers": [], **RUNTIME}]}),
        ("/v1/checkpoint", begun),
    ):
        status, _ = ask(told, "POST", path, body, **header)
        assert status == 400, path
    assert api.kit.platform.room.apps is not None


def requests_with_secrets() -> list[dict[str, Any]]:
    headers = {"authorization": f"Bearer {SENT_ALONG}", "x-api-key": SENT_ALONG}
    where = [
        "http://127.0.0.1:9/",
        f"https://127.0.0.1:9/?key={SENT_ALONG}",
        f"https://user:{IN_URL}@127.0.0.1/",
        f"https://[{IN_URL}",
    ]
    where += [f"https://127.0.0.1:99999/{SENT_ALONG}?key={SENT_ALONG}", f"gopher://{IN_URL}"]
    opts = [{"url": url, "method": "POST", "headers": headers, "body": SENT_ALONG} for url in where[:4]]
    opts += [{"url": "http://127.0.0.1:9/", "headers": {"authorization": f"Bearer {SENT_ALONG}\r\nx: 1"}}]
    found = [{"op": "Gateway", "opts": one} for one in opts]
    found += [
        {
            "op": "AIGateway",
            "opts": {"url": "http://127.0.0.1:9/", "auth_key": SENT_ALONG, "format": form, "body": {"a": 1}},
        }
        for form in ("openai", "anthropic", "gemini")
    ]
    return [{"id": f"request{n}", "displayName": f"request {n}", **one} for n, one in enumerate(found)]


def test_requests_that_are_made_for_steps_tell_no_key(api: Api, told: Told) -> None:
    header = {"authorization": f"Bearer {SIGNING_KEY}"}
    for number, step in enumerate(requests_with_secrets()):
        run_id = ids.ulid(1_767_603_600_000, number.to_bytes(10, "big"))
        app(
            url_event(
                "POST",
                "/v1/checkpoint",
                body=json.dumps({"run_id": run_id, "event": REQUEST, "steps": [step], "retries": 0}).encode(),
                headers={"content-type": "application/json", **header},
            ),
            CONTEXT,
        )
        for path in (
            f"/v1/runs/{run_id}",
            f"/v1/runs/{run_id}/timeline",
            f"/v0/runs/{run_id}/actions",
            f"/v1/runs/{run_id}/jobs",
        ):
            assert ask(told, "GET", path, **header)[0] == 200
    api.kit.drain()
    api.kit.advance("1h")


def test_messages_that_fail_tell_no_key(api: Api, told: Told) -> None:
    for body in [*BODIES.values(), json.dumps({"kind": "turn", "run_id": RUN})]:
        put(api.kit, "events", body)
        put(api.kit, "work", body)
    deliver_often(api.kit)
    ask(told, "GET", "/v1/dead-letters", authorization=f"Bearer {SIGNING_KEY}")
    ask(told, "GET", "/v1/backlog", authorization=f"Bearer {SIGNING_KEY}")
