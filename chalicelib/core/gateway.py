"""HTTP requests that Stepwell makes for a step: what is sent, and what comes of the answer. Pure: the request itself is
made by a driver.

Two kinds, which the SDKs read differently. A plain request (`step.fetch`) is a `fetch`: whatever status comes back is
an answer, and only a server that cannot be reached is an error. An inference (`step.ai.infer`) gives the answer's JSON;
a status other than 2xx is an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chalicelib.core import limits
from chalicelib.core.calls import ErrorInfo, GatewayOptions, Opcode, Operation

_RETRIABLE = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
# A Response with one of these must have no body, not even an empty one (Fetch standard, "null body status").
_WITHOUT_BODY = frozenset({101, 103, 204, 205, 304})
_SHOWN_CHARS = 1_000
_NO_SECRETS = frozenset({"accept", "anthropic-beta", "anthropic-version", "content-type", "user-agent"})


@dataclass(frozen=True)
class GatewayAnswer:
    """What a server answered. Headers with several values are joined by commas; `url` is where redirects led."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


@dataclass(frozen=True)
class GatewayFault:
    """Why there is no answer. `retriable`: another attempt may have one."""

    message: str
    retriable: bool = True


def shown(options: GatewayOptions) -> str:
    """The request as it may be shown: keys are in headers, in the query and before the host."""
    try:
        parts = urlsplit(options.url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return f"{options.method} (what is no URL)"
    return f"{options.method} {parts.scheme}://{parts.hostname or ''}{port}{parts.path}"[:500]


def problem_with(options: GatewayOptions) -> str | None:
    """Why the request cannot be made, or None."""
    try:
        parts = urlsplit(options.url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_web = False
    if not is_web:
        return "its URL must begin with http:// or https:// and name a host"
    if options.method not in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        return f"the method {options.method!r} is none of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
    size = len(options.body.encode(errors="replace"))
    if size > limits.MAX_GATEWAY_BODY_BYTES:
        return f"its body has {size:,} bytes; at most {limits.MAX_GATEWAY_BODY_BYTES:,} are allowed"
    return None


def ended(op: Operation, answer: GatewayAnswer | GatewayFault, began_ms: int, now_ms: int) -> Operation:
    """The request's step as it ended: StepRun with its output, StepError for another attempt, StepFailed for none."""
    timed = replace(op, started_at_ms=began_ms, ended_at_ms=now_ms)
    if isinstance(answer, GatewayFault):
        return _failed(timed, _secret_free(op, answer.message), retriable=answer.retriable)
    if op.op is Opcode.GATEWAY:
        return _fetched(timed, answer)
    return _inferred(timed, answer, now_ms)


def _fetched(op: Operation, answer: GatewayAnswer) -> Operation:
    body = None if answer.status in _WITHOUT_BODY else answer.body.decode(errors="replace")
    output = {"url": answer.url, "headers": dict(answer.headers), "body": body, "status_code": answer.status}
    return _done(op, output)


def _inferred(op: Operation, answer: GatewayAnswer, now_ms: int) -> Operation:
    text = answer.body.decode(errors="replace")
    if not 200 <= answer.status < 300:
        said = f": {_secret_free(op, text)[:_SHOWN_CHARS]}" if text.strip() else ""
        failed = _failed(
            op, f"the model's server answered {answer.status}{said}", retriable=is_retriable(answer.status)
        )
        return replace(failed, retry_after_ms=_retry_after_ms(answer.headers, now_ms))
    try:
        return _done(op, json.loads(text, parse_constant=_no_constant))
    except (ValueError, RecursionError):
        hint = "; a streamed answer cannot be kept: ask for one without `stream`" if "data:" in text[:200] else ""
        said = _secret_free(op, text)[:200]
        return _failed(op, f"the model's server answered with what is no JSON{hint}: {said}", retriable=False)


def _no_constant(name: str) -> None:
    raise ValueError(name)


def is_retriable(status: int) -> bool:
    """Whether a request that was answered so may be answered otherwise later."""
    return status in _RETRIABLE or status >= 500


def _done(op: Operation, output: Any) -> Operation:
    size = len(json.dumps(output, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"))
    if size > limits.MAX_STEP_OUTPUT_BYTES:
        return _failed(
            op, f"its answer has {size:,} bytes; at most {limits.MAX_STEP_OUTPUT_BYTES:,} can be kept", retriable=False
        )
    return replace(op, op=Opcode.STEP_RUN, output=output, size_bytes=size)


def _failed(op: Operation, message: str, *, retriable: bool) -> Operation:
    name = "AIGatewayError" if op.op is Opcode.AI_GATEWAY else "GatewayError"
    assert op.gateway is not None
    error = ErrorInfo.of(name, f"{shown(op.gateway)}: {message}")
    return replace(op, op=Opcode.STEP_ERROR if retriable else Opcode.STEP_FAILED, error=error, retriable=retriable)


def _secret_free(op: Operation, text: str) -> str:
    """A server may repeat what it was sent: what carries keys is not shown again."""
    assert op.gateway is not None
    carried = [value for name, value in op.gateway.headers.items() if name.lower() not in _NO_SECRETS]
    carried += [value for _, value in parse_qsl(op.gateway.url.partition("?")[2])]
    for value in carried:
        for secret in (value, value.rpartition(" ")[2]):
            if len(secret) >= 8:
                text = text.replace(secret, "***")
    return text


def _retry_after_ms(headers: Mapping[str, str], now_ms: int) -> int | None:
    from chalicelib.core.sdk_protocol.times import retry_after_ms  # For those alone who are asked to wait.

    return retry_after_ms(
        next((value for name, value in headers.items() if name.lower() == "retry-after"), None), now_ms
    )
