"""How much a request may hold, whichever way it comes, and how much an answer does."""

from __future__ import annotations

import base64
import gzip
import json
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from app import app
from chalicelib.core import ids
from chalicelib.core.ids import hashed_step_id
from chalicelib.web.ingest import MAX_BODY_BYTES
from chalicelib.web.large import MAX_ANSWER_BYTES
from chalicelib.web.table import ROUTES
from tests.hostile.over_http import CONTEXT, Client, url_event
from tests.web.api import SIGNING_KEY, Api, serve

EVENT_KEY = "first-event-key-0001"
BEARER = {"authorization": f"Bearer {SIGNING_KEY}"}
TAKES_A_BODY = [route.path for route in ROUTES if route.takes_body or route.body is not None]
CPU_SECONDS = 3.0


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serve(DEV="0") as started:
        started.set_keys([EVENT_KEY], [SIGNING_KEY])
        yield started


def address(path: str) -> str:
    return (
        path.replace("{key}", EVENT_KEY).replace("{run_id}", ids.ulid(1, bytes(10))).replace("{function_id}", "greet")
    )


def by_url(path: str, body: bytes, *, is_base64: bool, **headers: str) -> tuple[int, Any]:
    sent = {"content-type": "application/json", **BEARER, **headers}
    answer = app(url_event("POST", path, body=body, headers=sent, is_base64=is_base64), CONTEXT)
    return answer["statusCode"], json.loads(answer["body"])


@pytest.mark.parametrize("path", TAKES_A_BODY)
@pytest.mark.parametrize("is_base64", [False, True])
@pytest.mark.usefixtures("api")
def test_a_body_that_is_too_large_is_not_read(path: str, is_base64: bool) -> None:
    """What JSON makes of its bytes would be many times as large."""
    body = b'{"name":"a","data":[' + b"{}," * (MAX_BODY_BYTES // 3) + b"1]}"
    tracemalloc.start()
    try:
        status, found = by_url(address(path), body, is_base64=is_base64)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert status in (400, 413)
    assert "at most 6,291,456 are allowed" in found["error"]
    # The body as text and as bytes, and its base64; parsed it would take a hundred MB.
    assert peak < 8 * MAX_BODY_BYTES


BOMBS = {
    "gzip": (gzip.compress(b"[" + b" " * 50_000_000 + b"]"), {"content-encoding": "gzip"}),
    "gzip in base64": (base64.b64encode(gzip.compress(b"0" * 10_000_000)), {"content-encoding": "gzip"}),
    "brackets": (b"[" * (MAX_BODY_BYTES - 1), {}),
    "braces": (b'{"a":' * (MAX_BODY_BYTES // 5), {}),
    "digits": (b'{"name":"a","data":{"a":' + b"9" * 6_000_000 + b"}}", {}),
    "an exponent": (b'{"name":"a","data":{"a":1e999999999}}', {}),
    "names": (b"{" + b",".join(b'"%d":1' % n for n in range(400_000)) + b"}", {}),
    "the same name": (b"{" + b'"a":1,' * 900_000 + b'"a":1}', {}),
    "backslashes": (b'{"name":"' + b"\\" * 5_999_999 + b'"}', {}),
    "5,001 events": (b"[" + b'{"name":"a"},' * 5_000 + b'{"name":"a"}]', {}),
    "fields of a form": (
        b"&".join(b"a%d=1" % n for n in range(100_000)),
        {"content-type": "application/x-www-form-urlencoded"},
    ),
    "a length that lies": (b"{", {"content-length": "99999999999"}),
    "no length": (b"{", {"content-length": "-1", "transfer-encoding": "chunked"}),
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.usefixtures("api")
def test_a_bomb_is_refused_soon(name: str) -> None:
    body, headers = BOMBS[name]
    began = time.process_time()

    status, found = by_url(f"/e/{EVENT_KEY}", body, is_base64=name.startswith("gzip"), **headers)

    assert time.process_time() - began < CPU_SECONDS
    assert status == 400
    assert found["error"]


def test_an_app_whose_conditions_would_take_minutes_to_read_is_refused_soon(api: Api) -> None:
    """Six MB of them take a minute and a half of CPU, and a request has half a minute."""
    app_url = "https://shop.example/x"

    def function(number: int) -> dict[str, Any]:
        clauses = " && ".join(
            f"(event.data.a{clause}x{number} == 1 || event.data.b > {clause})" for clause in range(30)
        )
        runtime = {"step": {"id": "step", "runtime": {"type": "http", "url": app_url}}}
        return {"id": f"f{number}", "triggers": [{"event": "e", "expression": clauses}], "steps": runtime}

    registration = {"appName": "large", "url": app_url, "functions": [function(number) for number in range(1_000)]}
    began = time.process_time()
    status, found = by_url("/fn/register", json.dumps(registration).encode(), is_base64=False)

    assert time.process_time() - began < CPU_SECONDS
    assert status == 400
    assert "at most 262,144 are allowed" in found["error"]
    assert Client().send("GET", "/v1/apps/large", headers=BEARER).status_code == 404
    assert api.kit.pump.visible() == 0


@pytest.mark.usefixtures("api")
def test_an_error_is_no_longer_than_a_person_reads() -> None:
    """It may repeat what was sent, and Lambda answers nothing of more than 6 MB."""
    long = "\U0001f600" * 300_000
    bodies = {
        "/v1/signals": {long: 1, f"{long}2": 2},
        f"/v1/checkpoint/{ids.ulid(1, bytes(10))}/async": {"run_id": long, "qi_id": "a", "steps": []},
        "/fn/register": {"appName": long, "url": long, "functions": [{long: 1}]},
    }
    for path, body in bodies.items():
        status, found = by_url(path, json.dumps(body, ensure_ascii=False).encode(), is_base64=True)
        assert status == 400
        assert len(json.dumps(found)) < 30_000


@pytest.mark.parametrize("header", ["x-inngest-event-id-seed", "x-inngest-expected-server-kind", "x-anything"])
@pytest.mark.usefixtures("api")
def test_headers_are_of_any_length(header: str) -> None:
    """API Gateway takes 10 KB of them; through a function's URL come more."""
    for value in ("x" * 200_000, "1," + "A" * 100_000, "\x00", "é", ","):
        assert by_url(f"/e/{EVENT_KEY}", b'{"name": "a"}', is_base64=True, **{header: value})[0] == 200


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("path", ["/v1/runs", "/v1/events", "/v1/pauses", "/v1/cancellations", "/v1/dead-letters"])
@pytest.mark.parametrize(
    "name", ["cursor", "limit", "name", "function_id", "event", "run_id", "queue", "started_after"]
)
def test_parameters_of_a_query_are_bounded(path: str, name: str) -> None:
    event = url_event("GET", path, query=f"{name}={'9' * 100_000}", headers=BEARER)
    answer = app(event, CONTEXT)
    assert answer["statusCode"] == 400
    assert len(answer["body"]) < 1_000


def test_what_a_lambda_answer_cannot_hold_lies_elsewhere(api: Api) -> None:
    """Lists of large events: a fault of Lambda's (502), if they were answered here."""
    body = json.dumps({"name": "large", "data": {"x": '"' * 1_000_000}}).encode()
    sent = [Client().post(f"/e/{EVENT_KEY}", body) for _ in range(2)]
    assert [answer.status_code for answer in sent] == [200, 200]
    api.kit.drain()
    for path in ("/v1/events?name=large", "/v1/events?name=large&limit=2"):
        found = Client().send("GET", path, headers=BEARER)
        assert found.status_code == 302
        assert found.headers["location"] == [found.json()["url"]]
    for path in ("/v1/events?name=large&limit=1", f"/v1/events/{sent[0].json()['ids'][0]}"):
        found = Client().send("GET", path, headers=BEARER)
        assert found.status_code == 200
        assert len(json.dumps(found.content.decode())) < MAX_ANSWER_BYTES


@pytest.mark.usefixtures("api")
def test_a_result_that_a_lambda_answer_cannot_hold_is_told() -> None:
    """Written down, its 2 MB become 4, and 8 in Lambda's answer."""
    run_id = ids.ulid(1_767_603_600_000, bytes(range(10)))
    request = {"domain": "https://shop.example", "method": "GET", "path": "/a"}
    ended = {"op": "RunComplete", "id": hashed_step_id("complete", 0), "data": ['"' * 2_000_000]}
    event = {"name": "inngest/http.request", "data": request}
    body = json.dumps({"run_id": run_id, "event": event, "steps": [ended]}).encode()
    begun = Client().post("/v1/checkpoint", body, BEARER)
    token = begun.json()["data"]["token"]

    answer = Client().send("GET", f"/v1/http/runs/{run_id}/output?token={token}")

    assert answer.status_code == 413
    assert "more than AWS Lambda lets one answer hold" in answer.json()["error"]
