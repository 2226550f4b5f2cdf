"""What an app gives as the result of a run that it began goes to whoever asked: no header of it is taken for another
one, and none makes the answer unreadable."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from app import app
from chalicelib.core import ids
from chalicelib.core.ids import hashed_step_id
from infra.local.gateway import Request, proxy_event
from tests.hostile.over_http import CONTEXT, Client
from tests.web.api import serve

NUMBERS = itertools.count()
PATH = "/v1/http/runs/{run_id}/output"
SPLITTING = {
    "a\r\nb": "c",
    "x": "y\r\nset-cookie: a=1",
    "z": "\x00",
    "é": "1",
    "n": "ü",
    "": "1",
    "a b": "1",
    "c": "ok",
}
BINARY = ["image/png", "application/octet-stream", "IMAGE/PNG; q=1", "text/html, image/png", "*/*"]


@pytest.fixture(scope="module", autouse=True)
def api() -> Iterator[None]:
    with serve():
        yield


def result(output: Any, accept: str | None) -> dict[str, Any]:
    run_id = ids.ulid(1_767_603_600_000, next(NUMBERS).to_bytes(10, "big"))
    request = {"domain": "https://shop.example", "method": "GET", "path": "/a"}
    ended = {"op": "RunComplete", "id": hashed_step_id("complete", 0), "data": output}
    event = {"name": "inngest/http.request", "data": request}
    begun = Client().post("/v1/checkpoint", json.dumps({"run_id": run_id, "event": event, "steps": [ended]}).encode())
    target = f"/v1/http/runs/{run_id}/output?token={begun.json()['data']['token']}"
    sent = [] if accept is None else [("accept", accept)]
    asked = proxy_event(Request("GET", target, sent, b""), PATH, {"run_id": run_id}, app.api.binary_types)
    answer: dict[str, Any] = app(asked, CONTEXT)
    json.dumps(answer)
    return answer


def test_no_header_splits_the_answer() -> None:
    answer = result({"status": 200, "headers": SPLITTING, "body": "b"}, None)

    assert (answer["statusCode"], answer["body"]) == (200, "b")
    assert answer["headers"] == {"c": "ok", "content-type": "application/json"}


@pytest.mark.parametrize("content_type", BINARY)
@pytest.mark.parametrize("accept", [None, "*/*"])
def test_a_text_that_is_called_binary_is_a_text(content_type: str, accept: str | None) -> None:
    answer = result({"status": 200, "headers": {"Content-Type": content_type}, "body": "b"}, accept)

    assert (answer["statusCode"], answer["body"]) == (200, "b")
    assert answer["headers"]["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("status", [101, 199, 600, -1, 10**30, True])
def test_a_status_that_is_none_is_200(status: int) -> None:
    assert result({"status": status, "headers": {}, "body": "b"}, None)["statusCode"] == 200
