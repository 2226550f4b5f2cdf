"""Requests as API Gateway would hand them over, through a real chalice app."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any

import pytest
from chalice import Chalice, CORSConfig, Response

from chalicelib.web.rest_events import match
from infra.local.context import LambdaContext
from infra.local.gateway import Gateway, Request, proxy_event

ROUTES = ["/", "/e/{key}", "/v1/runs", "/v1/runs/{id}", "/v1/{kind}/all", "/files/{proxy+}"]
JSON = ("Content-Type", "application/json")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/", ("/", {})),
        ("/e/abc", ("/e/{key}", {"key": "abc"})),
        ("/e/a%2Fb%20c", ("/e/{key}", {"key": "a%2Fb%20c"})),
        ("/v1/runs", ("/v1/runs", {})),
        ("/v1/runs/", ("/v1/runs", {})),
        ("/v1/runs/all", ("/v1/runs/{id}", {"id": "all"})),
        ("/v1/events/all", ("/v1/{kind}/all", {"kind": "events"})),
        ("/files/a/b/c", ("/files/{proxy+}", {"proxy": "a/b/c"})),
        ("/e", None),
        ("/e/a/b", None),
        ("/e//", None),
        ("/files", None),
        ("//", None),
    ],
)
def test_a_path_finds_its_resource(path: str, found: tuple[str, dict[str, str]] | None) -> None:
    assert match(path, ROUTES) == found


def test_the_event_is_shaped_as_a_rest_proxy_event() -> None:
    headers = [JSON, ("X-Many", "1"), ("x-many", "2")]
    request = Request("POST", "/e/key?a=1&a=2&b=", headers, b'{"n": "\xc3\xa9"}')
    event = proxy_event(request, "/e/{key}", {"key": "key"}, [])
    assert event["resource"] == event["requestContext"]["resourcePath"] == "/e/{key}"
    assert event["httpMethod"] == event["requestContext"]["httpMethod"] == "POST"
    assert event["path"] == "/e/key"
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [""]}
    assert event["queryStringParameters"] == {"a": "2", "b": ""}
    assert event["multiValueHeaders"]["x-many"] == ["1", "2"]
    assert event["pathParameters"] == {"key": "key"}
    assert (event["body"], event["isBase64Encoded"]) == ('{"n": "é"}', False)


def test_absent_parts_are_null_as_api_gateway_sends_them() -> None:
    event = proxy_event(Request("GET", "/", [], b""), "/", {}, [])
    absent = ("body", "pathParameters", "queryStringParameters", "multiValueQueryStringParameters")
    assert [event[name] for name in absent] == [None] * 4


def test_binary_bodies_travel_in_base64() -> None:
    request = Request("POST", "/", [("content-type", "application/octet-stream")], b"\xff\x00")
    event = proxy_event(request, "/", {}, ["application/octet-stream"])
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == b"\xff\x00"


@pytest.fixture
def gateway() -> Gateway:
    app: Any = Chalice(app_name="test")

    @app.route("/e/{key}", methods=["POST"], cors=CORSConfig(allow_origin="https://a.example"))  # type: ignore[untyped-decorator]
    def send(key: str) -> dict[str, Any]:
        return {"key": key, "raw": app.current_request.raw_body.decode()}

    @app.route("/many")  # type: ignore[untyped-decorator]
    def many() -> Response:
        return Response(body="text", headers={"Set-Cookie": ["a=1", "b=2"], "Content-Type": "text/plain"})

    @app.route("/fails")  # type: ignore[untyped-decorator]
    def fails() -> None:
        raise RuntimeError("hidden")

    @app.route("/meet/{name}")  # type: ignore[untyped-decorator]
    def meet(name: str) -> dict[str, Any]:
        together.wait()
        return {"name": name, "seen": app.current_request.uri_params["name"]}

    together = threading.Barrier(2, timeout=5)
    return Gateway(app)


def test_a_route_answers(gateway: Gateway) -> None:
    answer = gateway.handle(Request("POST", "/e/k", [JSON], b"[1]"))
    assert answer.status == 200
    assert json.loads(answer.body) == {"key": "k", "raw": "[1]"}


def test_an_unknown_path_is_told(gateway: Gateway) -> None:
    answer = gateway.handle(Request("GET", "/nope", [], b""))
    assert (answer.status, json.loads(answer.body)["status"]) == (404, 404)


def test_a_wrong_method_and_content_type_are_chalice_s_to_refuse(gateway: Gateway) -> None:
    assert gateway.handle(Request("PUT", "/e/k", [], b"")).status == 405
    assert gateway.handle(Request("POST", "/e/k", [("Content-Type", "text/css")], b"")).status == 415


def test_headers_may_repeat(gateway: Gateway) -> None:
    answer = gateway.handle(Request("GET", "/many", [], b""))
    assert [value for name, value in answer.headers if name == "Set-Cookie"] == ["a=1", "b=2"]
    assert answer.body == b"text"


def test_a_failing_view_is_a_clean_500(gateway: Gateway) -> None:
    answer = gateway.handle(Request("GET", "/fails", [], b""))
    assert answer.status == 500
    assert b"hidden" not in answer.body


def test_a_preflight_is_answered_for_the_app(gateway: Gateway) -> None:
    answer = gateway.handle(Request("OPTIONS", "/e/k", [], b""))
    assert answer.status == 200
    assert ("Access-Control-Allow-Origin", "https://a.example") in answer.headers


def test_requests_side_by_side_do_not_see_each_other(gateway: Gateway) -> None:
    bodies: dict[str, Any] = {}

    def ask(name: str) -> None:
        bodies[name] = json.loads(gateway.handle(Request("GET", f"/meet/{name}", [], b"")).body)

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("ann", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == {name: {"name": name, "seen": name} for name in ("ann", "bob")}


def test_the_context_counts_down_and_stops_at_zero() -> None:
    assert 900 < LambdaContext("f", 1.0).get_remaining_time_in_millis() <= 1000
    assert LambdaContext("f", -1.0).get_remaining_time_in_millis() == 0


@pytest.mark.parametrize("target", ["//[::1", "http://[", "/\x00", "/%ff", "*", "", "/v1/../..//", "/" + "a/" * 5_000])
def test_an_address_that_is_none_is_no_fault_of_ours(gateway: Gateway, target: str) -> None:
    assert gateway.handle(Request("GET", target, [], b"")).status in (200, 400, 404)
