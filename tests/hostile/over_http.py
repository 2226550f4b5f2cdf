"""Requests as somebody on the net would send them, to the app behind its two entrances, without a server."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from schemathesis import Response

from app import app
from chalicelib.web.rest_events import match
from infra.local.context import LambdaContext
from infra.local.gateway import Answer, Request, answer_of, proxy_event
from tests.web import described

CONTEXT = LambdaContext("stepwell-api", 29.0)
_TEXTS = ("application/json", "text/", "application/xml", "application/javascript")


def answered(sent: requests.PreparedRequest) -> Response:
    """What the REST API answers; a path that it does not have is answered by API Gateway itself, here with 404."""
    url = urlsplit(sent.url or "")
    found = match(url.path or "/", app.routes)
    body = sent.body if isinstance(sent.body, bytes) else str(sent.body or "").encode()
    target = url.path + (f"?{url.query}" if url.query else "")
    request = Request(sent.method or "", target, [(name, str(value)) for name, value in sent.headers.items()], body)
    if found is None:
        answer = Answer.of_json(404, {"error": "no such path", "status": 404})
    else:
        answer = answer_of(app(proxy_event(request, *found, app.api.binary_types), CONTEXT))
    headers: dict[str, list[str]] = {}
    for name, value in answer.headers:
        headers.setdefault(name, []).append(value)
    return Response(answer.status, headers, answer.body, sent, elapsed=0.0, verify=False)


def url_event(
    method: str,
    path: str,
    *,
    query: str = "",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    is_base64: bool | None = None,
) -> dict[str, Any]:
    """What Lambda hands over for a request to a function's URL: format 2.0, the path as it was sent."""
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    encoded = not sent.get("content-type", "").startswith(_TEXTS) if is_base64 is None else is_base64
    host = "abc.lambda-url.eu-central-1.on.aws"
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": host, **sent},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc",
            "domainName": host,
            "domainPrefix": "abc",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9"},
            "requestId": "2f1a",
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": 1_795_683_600_000,
        },
        "isBase64Encoded": bool(body) and encoded,
    }
    if not body:
        return event
    return event | {"body": base64.b64encode(body).decode() if encoded else body.decode("utf-8", "replace")}


class Client:
    """Sends requests whose answers must be what the OpenAPI document says of them."""

    def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
        return self.send("POST", path, body, {"content-type": "application/json", **(headers or {})})

    def send(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Response:
        sent = requests.Request(method, f"http://localhost{path}", data=body, headers=dict(headers or {})).prepare()
        answer = answered(sent)
        found = match(urlsplit(sent.url or "").path, app.routes)
        if found is not None and answer.status_code != 405:
            described.check(method, found[0], answer.status_code, json.loads(answer.content))
        return answer
