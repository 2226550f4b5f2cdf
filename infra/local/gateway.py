"""HTTP requests as API Gateway hands them to Lambda, and Lambda's answers as HTTP again.

chalice.local has the same idea, but its matcher leaks captures between routes and has no ``{proxy+}``.
"""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from chalicelib.web.rest_events import match, rest_event
from infra.local.context import LambdaContext
from infra.local.settings import ACCOUNT, HOST

API_TIMEOUT_S = 29.0
"""The longest that API Gateway waits for an integration."""


@dataclass(frozen=True)
class Request:
    """One HTTP request. Header names may repeat; ``target`` is path and query as sent."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """One HTTP response."""

    status: int
    body: bytes
    headers: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of_json(cls, status: int, value: object) -> Answer:
        """A response with a JSON body."""
        body = json.dumps(value, ensure_ascii=False).encode() + b"\n"
        return cls(status, body, [("Content-Type", "application/json")])


def proxy_event(request: Request, resource: str, captures: dict[str, str], binary: Iterable[str]) -> dict[str, Any]:
    """The event of a REST API's Lambda proxy integration."""
    url = urlsplit(request.target)
    many: dict[str, list[str]] = {}
    for name, value in request.headers:
        many.setdefault(name.lower(), []).append(value)
    is_binary = many.get("content-type", [""])[-1].split(";")[0].strip() in set(binary)
    body = base64.b64encode(request.body).decode() if is_binary else request.body.decode("utf-8", "replace")
    return rest_event(
        resource,
        captures,
        method=request.method,
        path=url.path,
        query=url.query,
        headers=many,
        body=body if request.body else None,
        is_base64=is_binary and bool(request.body),
        context={
            "stage": "dev",
            "protocol": "HTTP/1.1",
            "accountId": ACCOUNT,
            "apiId": "local",
            "requestId": str(uuid.uuid4()),
            "requestTimeEpoch": time.time_ns() // 1_000_000,
            "identity": {"sourceIp": HOST, "userAgent": many.get("user-agent", [None])[-1]},
        },
    )


def answer_of(response: Mapping[str, Any]) -> Answer:
    """Lambda's proxy response as HTTP."""
    body = response.get("body") or ""
    content = base64.b64decode(body) if response.get("isBase64Encoded") else str(body).encode()
    headers = [(name, str(value)) for name, value in (response.get("headers") or {}).items()]
    for name, values in (response.get("multiValueHeaders") or {}).items():
        headers += [(name, str(value)) for value in values]
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    return Answer(int(response["statusCode"]), content, headers)


class _PerThread:
    """chalice keeps the request on the app, for Lambda runs one at a time; here each thread has its own."""

    _local = threading.local()

    @property
    def current_request(self) -> Any:
        return getattr(self._local, "current_request", None)

    @current_request.setter
    def current_request(self, value: Any) -> None:
        self._local.current_request = value

    @property
    def lambda_context(self) -> Any:
        return getattr(self._local, "lambda_context", None)

    @lambda_context.setter
    def lambda_context(self, value: Any) -> None:
        self._local.lambda_context = value


class Gateway:
    """A chalice app behind an imitation of API Gateway."""

    def __init__(self, app: Any) -> None:
        app.__class__ = type("LocalApp", (_PerThread, app.__class__), {})
        self._app = app

    def handle(self, request: Request) -> Answer:
        """Answer one request as the deployed API would, except that an unknown path gets 404 (there: 403)."""
        try:
            path = urlsplit(request.target).path or "/"
        except ValueError as error:
            return Answer.of_json(400, {"error": f"The address is not one: {error}.", "status": 400})
        found = match(path, self._app.routes)
        if found is None:
            message = f"There is no {path} here; GET / lists what there is."
            return Answer.of_json(404, {"error": message, "status": 404})
        resource, captures = found
        methods = self._app.routes[resource]
        method = "GET" if request.method == "HEAD" and "HEAD" not in methods else request.method
        if method == "OPTIONS" and "OPTIONS" not in methods:
            return _preflight(methods)
        asked = Request(method, request.target, request.headers, request.body)
        event = proxy_event(asked, resource, captures, self._app.api.binary_types)
        return answer_of(self._app(event, LambdaContext("stepwell-api", API_TIMEOUT_S)))


def _preflight(methods: Mapping[str, Any]) -> Answer:
    """API Gateway answers a preflight itself, from the CORS settings that chalice deployed."""
    open_to = [name for name, entry in methods.items() if entry.cors is not None]
    headers = {"Access-Control-Allow-Methods": ",".join([*open_to, "OPTIONS"])}
    if open_to:
        headers |= methods[open_to[0]].cors.get_access_control_headers()
    return Answer(200, b"", list(headers.items()))
