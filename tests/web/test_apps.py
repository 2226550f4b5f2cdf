"""POST /fn/register and /v1/apps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import inngest
import pytest

from chalicelib.core import signing
from tests.web.api import OLD_SIGNING_KEY, SIGNING_KEY, Answer, Api, serve
from tests.web.sdk_app import function, registration, serve_app

URL = "https://shop.example.com/api/inngest"
LOOPBACK = "127.0.0.0/8"


def post(api: Api, path: str, body: Any, **headers: str) -> Answer:
    return api.call("POST", path, json.dumps(body).encode(), "application/json", headers=headers)


def register(api: Api, *functions: dict[str, Any], app_id: str = "shop", **headers: str) -> Answer:
    return post(api, "/fn/register?deployId=d1", registration(URL, *functions, app_id=app_id), **headers)


def define(client: inngest.Inngest) -> Sequence[inngest.Function[Any]]:
    @client.create_function(fn_id="pay", trigger=inngest.TriggerEvent(event="shop/order"))
    def pay(_ctx: inngest.ContextSync) -> str:
        return "paid"

    return [pay]


def test_an_app_registers_itself(api: Api) -> None:
    answer = register(api, function("shop-pay", URL), function("shop-ship", URL))

    assert answer.status == 200
    assert answer.body == {"ok": True, "modified": True, "status": 200, "message": "2 functions synced"}
    assert answer.headers["X-Inngest-Server-Kind"] == "dev"
    again = register(api, function("shop-ship", URL), function("shop-pay", URL))
    assert again.body == {"ok": True, "modified": False, "status": 200, "message": "nothing has changed"}


def test_an_app_is_shown_with_its_functions(api: Api) -> None:
    register(api, function("shop-pay", URL), function("shop-a b/ü", URL, debounce={"period": "1m"}))
    register(api, function("shop-a b/ü", URL, debounce={"period": "1m"}))

    app = api.data("/v1/apps/shop")
    assert app == {
        "id": "shop",
        "url": URL,
        "sdk": "py:v0.5.19",
        "framework": "flask",
        "version": "",
        "functions": ["shop-a b/ü"],
        "retired_functions": ["shop-pay"],
        "synced_at": "2026-01-05T09:00:00.000Z",
        "warnings": ["shop-a b/ü: debounce is kept, but not enforced yet"],
    }
    assert api.data("/v1/apps") == [app]
    assert api.data(f"/v1/functions/{quote('shop-a b/ü', safe='')}") == {
        "id": "shop-a b/ü",
        "name": "shop-a b/ü",
        "triggers": [{"event": "demo/a"}],
        "cancel": [],
        "retries": 4,
        "driver": "http",
        "app_id": "shop",
        "endpoint": URL,
        "flow": {"debounce": {"period": "1m"}},
        "warnings": ["debounce is kept, but not enforced yet"],
    }
    assert api.data("/v1/functions/shop-pay")["retired"] is True
    assert [row["id"] for row in api.data("/v1/functions")] == ["count", "greet", "report", "shop-a b/ü"]


def test_a_schedule_with_jitter(api: Api) -> None:
    register(api, function("shop-daily", URL, triggers=[{"cron": "0 9 * * *", "jitter": "30m"}]))

    found = api.data("/v1/functions/shop-daily")

    assert found["triggers"][0]["jitter"] == "30m"
    assert found["triggers"][0]["next"][0] == "2026-01-06T09:00:00.000Z"
    assert found["warnings"] == ["the jitter of '0 9 * * *' is held to 12m, not 30m"]


def test_a_refusal_has_the_words_where_sdks_look_for_them(api: Api) -> None:
    answer = register(api, function("shop-pay", URL, triggers=[{"event": "a", "expression": "event."}]))

    words = answer.body["error"]
    assert words.startswith('function 1 ("shop-pay").triggers[0].expression: ')
    assert answer.status == 400
    assert answer.body == {"error": words, "message": words, "status": 400, "ok": False, "modified": False}
    assert api.data("/v1/apps") == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"functions": NaN}', b"[" * 100_000])
def test_what_is_no_registration(api: Api, body: bytes) -> None:
    answer = api.call("POST", "/fn/register", body, "application/json")
    assert answer.status == 400
    assert answer.body["message"] == answer.body["error"]


def test_ids_that_others_have_are_refused(api: Api) -> None:
    register(api, function("shop-pay", URL))

    assert (
        '"shop-pay": the app "shop" already has' in register(api, function("shop-pay", URL), app_id="x").body["error"]
    )
    assert '"greet": this deployment already has' in register(api, function("greet", URL), app_id="x").body["error"]


@pytest.mark.parametrize(("expected", "status"), [("dev", 200), ("DEV", 200), ("", 200), ("cloud", 400), ("x", 400)])
def test_an_app_that_expects_another_kind_of_server_is_told(api: Api, expected: str, status: int) -> None:
    answer = register(api, function("shop-pay", URL), **{"X-Inngest-Expected-Server-Kind": expected})
    assert answer.status == status
    if status == 400:
        assert answer.body["error"].startswith("the app expects ")
        assert "INNGEST_DEV" in answer.body["error"]


def test_an_app_is_removed_and_comes_back(api: Api) -> None:
    register(api, function("shop-pay", URL))

    removed = api.call("DELETE", "/v1/apps/shop")
    assert removed.status == 200
    assert (removed.body["data"]["functions"], removed.body["data"]["retired_functions"]) == ([], ["shop-pay"])
    assert api.data("/v1/apps") == []
    for method in ("GET", "DELETE"):
        assert api.call(method, "/v1/apps/shop").status == 404

    assert register(api, function("shop-pay", URL)).body["modified"] is True
    assert api.data("/v1/apps/shop")["retired_functions"] == []


def test_an_app_that_is_not_there(api: Api) -> None:
    assert api.get("/v1/apps/nobody").body["error"] == "there is no app 'nobody'"


def test_registering_asks_for_the_signing_key_as_sdks_send_it(locked_api: Api) -> None:
    body = json.dumps(registration(URL, function("shop-pay", URL))).encode()
    for authorization in (None, "Bearer signkey-test-00"):
        answer = locked_api.call("POST", "/fn/register", body, "application/json", authorization)
        assert answer.status == 401
    answer = locked_api.call(
        "POST", "/fn/register", body, "application/json", f"Bearer {signing.hashed(OLD_SIGNING_KEY)}"
    )
    assert answer.status == 200
    assert answer.headers["X-Inngest-Server-Kind"] == "cloud"


def test_deployed_an_app_of_the_machine_itself_is_refused(locked_api: Api) -> None:
    url = "http://169.254.169.254/latest/meta-data"
    body = json.dumps(registration(url, function("shop-pay", url))).encode()
    answer = locked_api.call("POST", "/fn/register", body, "application/json", f"Bearer {SIGNING_KEY}")
    assert answer.status == 400
    assert "link-local" in answer.body["error"]
    asked = locked_api.call(
        "POST", "/v1/apps/sync", json.dumps({"url": url}).encode(), "application/json", f"Bearer {SIGNING_KEY}"
    )
    assert asked.status == 400
    assert "link-local" in asked.body["error"]


def test_we_ask_an_app_in_production_for_its_functions() -> None:
    with serve(DEV="0", APP_NETWORKS=LOOPBACK) as api, serve_app(define, signing_key=SIGNING_KEY) as served:
        api.set_keys(["first-event-key-0001"], [SIGNING_KEY])
        bearer = f"Bearer {SIGNING_KEY}"
        body = json.dumps({"url": served.url}).encode()

        answer = api.call("POST", "/v1/apps/sync", body, "application/json", bearer)

        assert answer.status == 200, answer.body
        assert answer.body["data"]["kind"] == "in_band"
        assert answer.body["data"]["modified"] is True
        assert answer.body["data"]["app"]["functions"] == ["shop-pay"]
        assert answer.body["data"]["app"]["sdk"] == "py:v0.5.19"
        again = api.call("POST", "/v1/apps/sync", body, "application/json", bearer)
        assert again.body["data"]["modified"] is False


def test_an_app_with_another_signing_key_refuses_us() -> None:
    with serve(DEV="0", APP_NETWORKS=LOOPBACK) as api, serve_app(define, signing_key=OLD_SIGNING_KEY) as served:
        api.set_keys(["first-event-key-0001"], [SIGNING_KEY])
        body = json.dumps({"url": served.url}).encode()
        answer = api.call("POST", "/v1/apps/sync", body, "application/json", f"Bearer {SIGNING_KEY}")
    assert answer.status == 400
    assert answer.body["error"].startswith(f"the app at {served.url} answered 401: ")


@pytest.mark.parametrize("body", [{}, {"url": 3}, {"url": "x", "more": 1}, [], "x"])
def test_what_is_no_address_of_an_app(api: Api, body: Any) -> None:
    answer = post(api, "/v1/apps/sync", body)
    assert answer.status == 400
    assert '{"url": "https://…"}' in answer.body["error"]


def test_an_address_at_which_nobody_answers(api: Api) -> None:
    with serve_app(define) as served:
        pass
    answer = post(api, "/v1/apps/sync", {"url": served.url})
    assert answer.status == 400
    assert answer.body["error"].startswith(f"the app at {served.url} cannot be asked: no connection")


def test_in_development_sdks_find_us(api: Api) -> None:
    register(api, function("shop-pay", URL))
    answer = api.get("/dev")
    assert answer.body == {"service": "stepwell", "kind": "dev", "functions": ["count", "greet", "report", "shop-pay"]}


def test_deployed_they_find_no_development_server(locked_api: Api) -> None:
    assert locked_api.get("/dev").status == 404
