"""The event of a REST API's Lambda proxy integration, which is what chalice reads: made here for requests that come by
another way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs


def match(path: str, resources: Iterable[str]) -> tuple[str, dict[str, str]] | None:
    """The resource for a path and its captures, still percent-encoded; literal segments win over captures."""
    parts = path.rstrip("/").split("/") if path != "/" else ["", ""]
    fitting: list[tuple[tuple[int, ...], str, dict[str, str]]] = []
    for resource in resources:
        captures: dict[str, str] = {}
        rank: list[int] = []
        pattern = resource.split("/")
        for n, want in enumerate(pattern):
            if want.endswith("+}") and n < len(parts):
                captures[want[1:-2]] = "/".join(parts[n:])
                rank.append(2)
                break
            if n >= len(parts) or not (want == parts[n] or (want.startswith("{") and parts[n])):
                break
            if want.startswith("{"):
                captures[want[1:-1]] = parts[n]
            rank.append(int(want.startswith("{")))
        if len(rank) == len(pattern) and (rank[-1] == 2 or len(parts) == len(pattern)):
            fitting.append((tuple(rank), resource, captures))
    if not fitting:
        return None
    _, resource, captures = min(fitting, key=lambda one: one[0])
    return resource, captures


def rest_event(
    resource: str,
    captures: Mapping[str, str],
    *,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, Sequence[str]],
    body: str | None,
    is_base64: bool,
    context: Mapping[str, Any],
) -> dict[str, Any]:
    """The event. ``query`` is as it was sent, names of ``headers`` are in lower case, and ``context`` is what more is
    known of the request: its id, who sent it."""
    params = parse_qs(query, keep_blank_values=True)
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": {name: list(values) for name, values in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in params.items()} or None,
        "multiValueQueryStringParameters": params or None,
        "pathParameters": dict(captures) or None,
        "stageVariables": None,
        "requestContext": {**context, "resourcePath": resource, "httpMethod": method, "path": path},
        "body": body,
        "isBase64Encoded": is_base64,
    }
