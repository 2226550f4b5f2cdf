"""Asking an app for its functions: what is sent, and which answers are believed."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from chalicelib.core import signing
from chalicelib.core.apps import NotSynced
from chalicelib.core.sdk_protocol.lambda_event import Invoked
from chalicelib.drivers.addresses import Addresses
from chalicelib.drivers.app_sync import AppAsker
from chalicelib.drivers.aws_lambda import LambdaTransport
from chalicelib.drivers.transport import Transport
from chalicelib.engine.clock import ShiftableClock

KEY = "signkey-test-" + "0f" * 32
BODY = b'{"url":"https://x"}'
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:shop"
IN_BAND = {"x-inngest-sdk": "js:v4", "x-inngest-sync-kind": "in_band"}


@dataclass
class Keys:
    key: str | None = KEY

    def signing_key(self) -> str | None:
        return self.key


@dataclass
class App:
    """Answers everything so, and remembers what it was sent. `signs`: by which key, if it does."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: dict(IN_BAND))
    body: bytes = b'{"app_id":"shop"}'
    signs: str | None = None
    sent: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    def answer_headers(self) -> dict[str, str]:
        if self.signs is None:
            return self.headers
        return {**self.headers, "x-inngest-signature": signing.sign(self.body, self.signs, int(time.time()))}


@contextlib.contextmanager
def served(app: App) -> Iterator[App]:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            length = int(self.headers["content-length"])
            headers = {name.lower(): value for name, value in self.headers.items()}
            app.sent.append((self.command, headers, self.rfile.read(length)))
            self.send_response(app.status)
            for name, value in app.answer_headers().items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(app.body)))
            self.end_headers()
            self.wfile.write(app.body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    app.url = f"http://127.0.0.1:{server.server_port}/api/inngest"
    try:
        yield app
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Lambda:
    """Implements drivers.aws_lambda.Invoker: the app behind it answers so."""

    headers: dict[str, str]
    payloads: list[dict[str, Any]] = field(default_factory=list)

    def invoke(self, arn: str, payload: bytes, *, timeout_ms: int) -> Invoked:
        assert (arn, timeout_ms > 0) == (ARN, True)
        self.payloads.append(json.loads(payload))
        answer = {"statusCode": 200, "headers": self.headers, "body": '{"app_id":"shop"}'}
        return Invoked(json.dumps(answer).encode(), failed=False)


def asker(keys: Keys | None, invoker: Lambda | None = None) -> AppAsker:
    clock = ShiftableClock()
    over_lambda = LambdaTransport(invoker or Lambda(dict(IN_BAND)), clock, lambda: "r1")
    return AppAsker(Transport(Addresses(is_open=True), clock), over_lambda, keys, clock)


def test_in_production_the_request_is_signed() -> None:
    with served(App(signs=KEY)) as app:
        found = asker(Keys()).put(app.url, {"x-inngest-sync-kind": "in_band"}, BODY)

    assert (found[0], found[2]) == (200, app.body)
    ((method, headers, body),) = app.sent
    assert (method, body, headers["x-inngest-sync-kind"]) == ("PUT", BODY, "in_band")
    assert signing.signature_problem(headers["x-inngest-signature"], body, [KEY], int(time.time())) is None


def test_in_development_it_is_not_and_any_answer_is_believed() -> None:
    with served(App()) as app:
        status, headers, _ = asker(None).put(app.url, {}, BODY)
    assert (status, headers["x-inngest-sync-kind"]) == (200, "in_band")
    assert "x-inngest-signature" not in app.sent[0][1]


@pytest.mark.parametrize("signs", [None, "signkey-test-" + "a1" * 32])
def test_an_in_band_answer_without_tls_must_be_signed_with_our_key(signs: str | None) -> None:
    with served(App(signs=signs)) as app, pytest.raises(NotSynced, match="cannot be trusted"):
        asker(Keys()).put(app.url, {}, BODY)


def test_an_app_that_registered_itself_need_not_sign() -> None:
    with served(App(headers={"x-inngest-sync-kind": "out_of_band"})) as app:
        assert asker(Keys()).put(app.url, {}, BODY)[0] == 200


def test_a_lambda_function_is_invoked_with_the_same_request() -> None:
    invoker = Lambda(dict(IN_BAND))

    status, headers, body = asker(Keys(), invoker).put(ARN, {"x-inngest-sync-kind": "in_band"}, BODY)

    assert (status, headers["x-inngest-sync-kind"], body) == (200, "in_band", b'{"app_id":"shop"}')
    (event,) = invoker.payloads
    assert (event["requestContext"]["http"]["method"], event["body"]) == ("PUT", BODY.decode())
    assert "x-inngest-signature" in event["headers"]


def test_one_whose_signature_is_wrong_is_not_believed() -> None:
    with pytest.raises(NotSynced, match="cannot be trusted"):
        asker(Keys(), Lambda({**IN_BAND, "x-inngest-signature": "t=1&s=" + "0" * 64})).put(ARN, {}, BODY)


def test_why_there_is_no_answer() -> None:
    with served(App()) as app:
        pass
    with pytest.raises(NotSynced, match=r"cannot be asked: no connection to 127\.0\.0\.1"):
        asker(None).put(app.url, {}, BODY)
