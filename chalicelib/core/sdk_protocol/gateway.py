"""Requests that Stepwell makes for a step: any (Gateway), or one to the provider of a model (AIGateway)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from chalicelib.core import limits
from chalicelib.core.calls import GatewayOptions
from chalicelib.core.errors import InvalidFunction
from chalicelib.core.urls import shown

_METHOD: Final = re.compile(r"[A-Za-z]{1,20}")
HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")


def gateway(opts: Mapping[str, Any]) -> GatewayOptions:
    """Of a Gateway operation. Raises InvalidFunction."""
    method, body = opts.get("method") or "GET", opts.get("body")
    if not isinstance(method, str) or not _METHOD.fullmatch(method):
        raise InvalidFunction(f"method is {str(method)[:40]!r}, which is none of HTTP's")
    if body is not None and not isinstance(body, str):
        raise InvalidFunction(f"body must be a text, not {type(body).__name__}: encode it first")
    return _options(opts.get("url"), method.upper(), _headers(opts.get("headers")), body or "")


def ai_gateway(opts: Mapping[str, Any]) -> GatewayOptions:
    """Of an AIGateway operation: the request of a model, with its key where its provider looks for it.

    Raises InvalidFunction.
    """
    headers = {"content-type": "application/json", **_headers(opts.get("headers"))}
    url, key, form = opts.get("url"), opts.get("auth_key"), opts.get("format")
    if isinstance(key, str) and key:
        if form == "anthropic":
            headers.setdefault("x-api-key", key)
        elif form == "gemini":
            if "key=" not in str(url):  # SDKs put it into the URL.
                headers.setdefault("x-goog-api-key", key)
        else:
            headers.setdefault("authorization", f"Bearer {key}")
    body = opts.get("body")
    if not isinstance(body, dict):
        raise InvalidFunction(f"body must be an object, not {type(body).__name__}")
    return _options(url, "POST", _checked(headers), json.dumps(body, ensure_ascii=False))


def _options(url: object, method: str, headers: dict[str, str], body: str) -> GatewayOptions:
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise InvalidFunction(f"url is {shown(str(url))!r}: it must begin with http:// or https://")
    try:
        size = len(body.encode()) + len(url.encode())
        options = GatewayOptions(url=url, method=method, headers=headers, body=body)
    except (UnicodeEncodeError, ValidationError):
        raise InvalidFunction("url, headers and body must be valid Unicode") from None
    if size > limits.MAX_STEP_OUTPUT_BYTES:
        raise InvalidFunction(f"the request has {size:,} bytes; at most {limits.MAX_STEP_OUTPUT_BYTES:,} are allowed")
    return options


def _headers(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidFunction(f"headers must be an object, not {type(value).__name__}")
    return _checked({str(name).lower(): item for name, item in value.items()})


def _checked(headers: Mapping[str, Any]) -> dict[str, str]:
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name):
            raise InvalidFunction(f"{name[:60]!r} is no name of a header")
        if not isinstance(value, str) or not value.isprintable() or not value.isascii():
            raise InvalidFunction(f"the header {name} must be a text of printable ASCII characters")
    return dict(headers)
