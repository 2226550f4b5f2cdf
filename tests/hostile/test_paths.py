"""Ids and cursors that are none: looked for in vain or refused, never handed on to where they would mean something."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from chalicelib.core import ids
from chalicelib.web.table import ROUTES
from tests.hostile.over_http import Client
from tests.hostile.strict_aws import strict_aws
from tests.web.api import Api, serve

IDS = [
    *(
        "..%2f..%2fx",
        "%2e%2e",
        "%00",
        "x%00",
        "%ff",
        "%ED%A0%80",
        "%EF%BF%BE",
        "%0d%0ax-injected:%201",
        "a%23b",
        "a%2Fb",
    ),
    *(
        "x" * 3_000,
        "%F0%9F%98%80" * 600,
        "0" * 26,
        "7" + "Z" * 25,
        "8" + "0" * 25,
        "z" * 26,
        "%25",
        "%2525",
        "*",
        "$ne",
        "'",
    ),
    *(
        "__proto__",
        "null",
        "undefined",
        "NaN",
        "-1",
        "registry",
        "version",
        "apps",
        "0",
        "open%230",
        "s%23x",
        "replays",
    ),
]
BODY = b'{"qi_id": "a.b", "steps": [{"op": "StepRun", "id": "x"}]}'
WITH_IDS = [route for route in ROUTES if "{" in route.path and route.path != "/e/{key}"]


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serve() as started, strict_aws(started.kit) as refused_by_aws:
        started.send({"name": "demo/greet", "data": {"name": "a", "wait": True}})
        yield started
        assert not refused_by_aws


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("route", WITH_IDS, ids=[route.name for route in WITH_IDS])
def test_an_id_that_is_none_is_not_found(route: object) -> None:
    method, path = route.method, route.path  # type: ignore[attr-defined]
    for given in IDS:
        name = path[path.index("{") : path.index("}") + 1]
        body, sent = (BODY, {"content-type": "application/json"}) if method == "POST" else (b"", {})
        if "checkpoint" not in path and method == "POST":
            body = b""
        answer = Client().send(method, path.replace(name, given), body, sent)
        assert answer.status_code in (400, 401, 404), (given, answer.content)


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


RUN = ids.ulid(1_767_603_600_000, bytes(range(10)))
POSITIONS = [
    *(
        "",
        "a",
        "#",
        "9" * 15 + "#",
        "x" * 3_000,
        "\x00",
        "0#0#0#0",
        "[]",
        "{}",
        "null",
        '{"a":1}',
        "[1,2,3]",
        "\ufffe",
        "\ud800",
    ),
    *(
        "9" * 5_000,
        '["x","y"]',
        '{"key":"","after":""}',
        "[" * 2_000,
        "1,2",
        RUN,
        f"{RUN}#x",
        "greet#1",
        f"0#{RUN}",
        "-1#x",
    ),
    *("1e400", "NaN", '{"key":1}', f"{'9' * 40}#{RUN}", "٣#x", "true"),
]
CURSORS = [*map(encoded, POSITIONS), "!!!!", "%00", "a" * 4_000, "a" * 5_000, "AAAA=", "%FF", "a b"]
LISTS = [
    *("/v1/runs", "/v1/runs?function_id=greet", "/v1/events", "/v1/events?name=demo/greet", "/v1/cancellations"),
    *("/v1/replays", "/v1/functions/greet/queue", "/v1/pauses?event=demo/go", "EVENT"),
]


@pytest.mark.parametrize("path", LISTS)
def test_a_cursor_that_is_none_is_refused_or_leads_to_a_page(api: Api, path: str) -> None:
    if path == "EVENT":
        path = f"/v1/events/{api.data('/v1/events')[0]['internal_id']}"
    for cursor in CURSORS:
        answer = Client().send("GET", f"{path}{'&' if '?' in path else '?'}cursor={cursor}")
        assert answer.status_code in (200, 400), (cursor, answer.content)


TIMES = [
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z",
    "1969-12-31",
    "9999-12-31T23:59:59.999999-23:59",
    "٣",
    "1e9",
    "%00",
]


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("path", ["/v1/runs", "/v1/events"])
def test_times_out_of_range(path: str) -> None:
    what = "started" if path == "/v1/runs" else "received"
    for after in TIMES:
        for before in TIMES:
            answer = Client().send("GET", f"{path}?{what}_after={after}&{what}_before={before}")
            assert answer.status_code in (200, 400), (after, before)
