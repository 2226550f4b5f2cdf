"""The app behind a function URL answers as it does behind its REST API: same routes, keys, bodies and errors."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from app import app
from chalicelib.web.function_url import App
from infra.local.context import LambdaContext
from tests.web.api import SIGNING_KEY, Api

TEXTS = ("application/json", "text/")


def url_event(method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What Lambda hands over for a request to a function's URL: format 2.0. Bodies that are no text are in base64, and
    of a header or a body that was not sent there is nothing."""
    path, _, query = target.partition("?")
    sent = {"host": "abc.lambda-url.eu-central-1.on.aws", **{k.lower(): v for k, v in (headers or {}).items()}}
    is_text = sent.get("content-type", "").startswith(TEXTS)
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": sent,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc",
            "domainName": "abc.lambda-url.eu-central-1.on.aws",
            "domainPrefix": "abc",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.9",
                "userAgent": "test",
            },
            "requestId": "2f1a",
            "routeKey": "$default",
            "stage": "$default",
            "time": "26/Nov/2026:09:00:00 +0000",
            "timeEpoch": 1795683600000,
        },
        "isBase64Encoded": bool(body) and not is_text,
    }
    return event | ({"body": body.decode() if is_text else base64.b64encode(body).decode()} if body else {})


def ask(
    method: str, target: str, body: bytes = b"", content_type: str | None = None, authorization: str | None = None
) -> tuple[int, Any, dict[str, str]]:
    headers = {} if content_type is None else {"Content-Type": content_type}
    headers |= {} if authorization is None else {"Authorization": authorization}
    answer = app(url_event(method, target, body, headers), LambdaContext("stepwell-api", 29.0))
    assert set(answer) <= {"statusCode", "headers", "body", "isBase64Encoded", "cookies"}
    assert all(isinstance(value, str) for value in answer["headers"].values())
    return answer["statusCode"], json.loads(answer["body"]), answer["headers"]


EVENT = json.dumps({"name": "demo/nobody-listens", "data": {"é": "%2F + ü"}}, ensure_ascii=False).encode()
FORM = b"name=demo%2Fnobody-listens&data=%7B%22%C3%A9%22%3A%22%252F+%2B+%C3%BC%22%7D"
REQUESTS: list[tuple[str, str, bytes, str | None]] = [
    ("GET", "/health", b"", None),
    ("GET", "/v1/functions", b"", None),
    ("GET", "/v1/functions/greet", b"", None),
    ("GET", "/v1/functions/a%2Fb%20c%25?x", b"", None),
    ("GET", "/v1/functions/none", b"", None),
    ("GET", "/v1/runs?limit=0", b"", None),
    ("GET", "/v1/runs?function_id=a%2Fb&function_id=c+d&unknown=1", b"", None),
    ("POST", "/e/key%2Fwith%20more", EVENT, "application/json"),
    ("POST", "/e/dev", b'{"name": ', "application/json"),
    ("POST", "/e/dev", EVENT, "application/xml"),
    ("PATCH", "/v1/runs", b"", None),
    ("DELETE", "/v1/runs/none", b"", "application/json"),
]


@pytest.mark.parametrize(("method", "target", "body", "content_type"), REQUESTS)
def test_an_answer_is_the_same_by_either_way(
    api: Api, method: str, target: str, body: bytes, content_type: str | None
) -> None:
    by_rest = api.call(method, target, body, content_type)
    status, found, headers = ask(method, target, body, content_type)
    assert (status, lasting(found)) == (by_rest.status, lasting(by_rest.body))
    assert headers.items() <= by_rest.headers.items()


def lasting(body: dict[str, Any]) -> dict[str, Any]:
    """An answer without what is another in each: when it was read, the ids of new events."""
    return {name: value for name, value in body.items() if name not in ("metadata", "ids")}


def test_a_path_is_taken_as_it_was_sent(api: Api) -> None:
    by_rest = api.get("/v1/functions/a%2Fb%20c%25")
    status, found, _ = ask("GET", "/v1/functions/a%2Fb%20c%25")
    assert (status, found) == (404, by_rest.body)
    assert "a/b c%" in found["error"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (EVENT, "application/json"),
        (EVENT, "text/plain"),
        (EVENT, "application/x-www-form-urlencoded"),
        (FORM, "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_arrives_byte_for_byte_whatever_its_type(api: Api, body: bytes, content_type: str) -> None:
    status, found, _ = ask("POST", "/e/dev", body, content_type)
    assert status == 200, found
    api.kit.drain()
    shown = api.data(f"/v1/events/{found['ids'][0]}")
    assert (shown["name"], shown["data"]) == ("demo/nobody-listens", {"é": "%2F + ü"})


def test_the_bearer_is_asked_for_here_too(locked_api: Api) -> None:
    assert locked_api.get("/health").status == 200
    for authorization in (None, "Bearer wrong"):
        status, found, headers = ask("GET", "/v1/runs", authorization=authorization)
        assert (status, found["status"]) == (401, 401)
        assert headers["WWW-Authenticate"] == "Bearer"
    assert ask("GET", "/v1/runs", authorization=f"Bearer {SIGNING_KEY}")[0] == 200


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("path", ["/nothing", "/v1", "/e", "//", "/api/v1/runs"])
def test_a_path_that_is_not_there_is_told_in_our_shape(path: str) -> None:
    status, found, headers = ask("GET", path)
    assert (status, found["status"]) == (404, 404)
    assert path in found["error"]
    assert headers["content-type"] == "application/json"


def test_headers_that_come_several_times_are_joined_as_the_format_wants_them() -> None:
    made: Any = App(app_name="test")
    from chalice import Response

    @made.route("/many")  # type: ignore[untyped-decorator]
    def many() -> Response:
        cookie = made.current_request.headers["cookie"]
        return Response(body=cookie, headers={"X-Many": ["a", "b"], "Content-Type": "text/plain"})

    event = url_event("GET", "/many") | {"cookies": ["a=1", "b=2"]}
    answer = made(event, LambdaContext("api", 29.0))
    assert answer["headers"] == {"Content-Type": "text/plain", "X-Many": "a, b"}
    assert answer["body"] == "a=1; b=2"
