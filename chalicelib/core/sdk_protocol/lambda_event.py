"""Apps that are Lambda functions: a request as a function URL would hand it over, so that the adapters of SDKs and of
web frameworks serve it unchanged, and the answer that they give."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from chalicelib.core.calls import ErrorInfo
from chalicelib.core.errors import StepwellError, UserError
from chalicelib.core.sdk_protocol.answers import Answer
from chalicelib.core.sdk_protocol.texts import Broken, clean, parse, shown

_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):function:(?P<name>[A-Za-z0-9_-]{1,64})"
    r"(:[A-Za-z0-9$_-]{1,128})?"
)
# Where SDKs serve unless they are told otherwise.
_DEFAULT_PATH: Final = "/api/inngest"
_TOO_LARGE: Final = "Function.ResponseSizeTooLarge"


class NotInvoked(StepwellError):
    """Lambda did not run the function, or its answer did not come."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True)
class Invoked:
    """What Lambda answered. `failed`: the payload is not what the function returned but how it died."""

    payload: bytes
    failed: bool


@dataclass(frozen=True)
class Endpoint:
    """A Lambda function and the path under which its app serves."""

    arn: str
    path: str
    name: str

    @property
    def url(self) -> str:
        """What the app sees as its URL. The host is no host: nobody but Lambda brings requests there."""
        return f"https://{self.name.lower()}.lambda{self.path}"


def endpoint_of(text: str) -> Endpoint:
    """`arn:aws:lambda:…:function:name`, with `:alias` and `/path` if need be. Raises UserError."""
    arn, slash, path = text.partition("/")
    found = _ARN.fullmatch(arn)
    if found is None:
        raise UserError(f"{text[:200]!r} is not the ARN of a Lambda function (arn:aws:lambda:…:function:name)")
    return Endpoint(arn, slash + path if slash else _DEFAULT_PATH, found["name"])


def event_of(
    method: str, url: str, headers: Mapping[str, str], body: bytes, *, now_ms: int, request_id: str
) -> dict[str, Any]:
    """The request as an event of a function URL (payload format 2.0). The body is JSON, so it is text."""
    parts = urlsplit(url)
    path, host = parts.path or "/", parts.netloc
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": parts.query,
        "headers": {
            "host": host,
            "x-forwarded-proto": "https",
            "x-forwarded-port": "443",
            "content-length": str(len(body)),
            **headers,
        },
        "queryStringParameters": dict(parse_qsl(parts.query, keep_blank_values=True)),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": host.partition(".")[0],
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": now_ms,
        },
        "isBase64Encoded": False,
    }
    return event if not body else {**event, "body": body.decode()}


def answer_of(invoked: Invoked) -> Answer | ErrorInfo:
    """The app's answer, or how the function died. Raises Broken for what is neither."""
    value = parse(invoked.payload) if invoked.payload.strip() else None
    if invoked.failed:
        return _death(value)
    if not isinstance(value, dict) or not isinstance(value.get("statusCode"), int):
        raise Broken(f"the function returned {shown(invoked.payload)!r}, which is no HTTP answer: it has no statusCode")
    return Answer(value["statusCode"], _headers(value), _body(value))


def is_too_large(death: ErrorInfo) -> bool:
    """Whether the function died because its answer was larger than Lambda's 6 MB: it would be the next time, too."""
    return death.name == _TOO_LARGE


def _death(value: Any) -> ErrorInfo:
    fields = value if isinstance(value, dict) else {}
    kind, message, trace = fields.get("errorType"), fields.get("errorMessage"), fields.get("stackTrace")
    lines = trace if isinstance(trace, list) else fields.get("trace")
    stack = "\n".join(str(line) for line in lines[:100]) if isinstance(lines, list) and lines else None
    return ErrorInfo.of(
        clean(kind) if isinstance(kind, str) and kind else "LambdaError",
        clean(message) if isinstance(message, str) and message else f"the Lambda function failed: {shown(str(value))}",
        None if stack is None else clean(stack),
    )


def _headers(value: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    several, single = value.get("multiValueHeaders"), value.get("headers")
    if isinstance(several, dict):
        found |= {
            str(name).lower(): str(items[0]) for name, items in several.items() if isinstance(items, list) and items
        }
    if isinstance(single, dict):
        found |= {str(name).lower(): str(item) for name, item in single.items() if item is not None}
    return found


def _body(value: dict[str, Any]) -> bytes:
    body = value.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        return json.dumps(body).encode()
    try:
        return base64.b64decode(body, validate=True) if value.get("isBase64Encoded") is True else body.encode()
    except (binascii.Error, ValueError):
        raise Broken("the body that the function returned is not what it says it is: base64, or valid text") from None
