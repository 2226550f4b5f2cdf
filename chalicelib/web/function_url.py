"""The app behind a function URL, too: an address without a path, as SDKs need it (docs/ARCHITECTURE.md).

Chalice knows REST APIs alone. A URL's requests come in format 2.0 of the payload, with the path as it was sent and
without a route; its answers take one value for each header.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chalice import Chalice

from chalicelib.web.rest_events import match, rest_event


class App(Chalice):  # type: ignore[misc]
    """Chalice's app, called by its REST API or by its function's URL."""

    def __call__(self, event: Any, context: Any) -> Any:
        """What Lambda calls for requests."""
        if not _is_of_url(event):
            return super().__call__(event, context)
        path = event["rawPath"] or "/"
        found = match(path, self.routes)
        if found is None:
            error = {"error": f"there is no {path} here; GET / lists what there is", "status": 404}
            return {"statusCode": 404, "headers": {"content-type": "application/json"}, "body": json.dumps(error)}
        return _answer(super().__call__(_as_rest(event, *found), context))


def _is_of_url(event: Any) -> bool:
    return isinstance(event, dict) and event.get("version") == "2.0" and "http" in event.get("requestContext", {})


def _as_rest(event: Mapping[str, Any], resource: str, captures: Mapping[str, str]) -> dict[str, Any]:
    context = event["requestContext"]
    http = context["http"]
    headers = {name.lower(): [value] for name, value in event["headers"].items()}
    if event.get("cookies"):
        headers["cookie"] = ["; ".join(event["cookies"])]
    return rest_event(
        resource,
        captures,
        method=http["method"],
        path=event["rawPath"] or "/",
        query=event["rawQueryString"],
        headers=headers,
        body=event.get("body"),
        is_base64=event["isBase64Encoded"],
        context={
            "accountId": context["accountId"],
            "apiId": context["apiId"],
            "domainName": context["domainName"],
            "stage": context["stage"],
            "protocol": http["protocol"],
            "requestId": context["requestId"],
            "requestTimeEpoch": context["timeEpoch"],
            "identity": {"sourceIp": http["sourceIp"], "userAgent": http.get("userAgent")},
        },
    )


def _answer(response: Mapping[str, Any]) -> dict[str, Any]:
    many = {name: ", ".join(values) for name, values in (response.get("multiValueHeaders") or {}).items()}
    return {
        "statusCode": response["statusCode"],
        "headers": {**(response.get("headers") or {}), **many},
        "body": response.get("body", ""),
        "isBase64Encoded": bool(response.get("isBase64Encoded")),
    }
