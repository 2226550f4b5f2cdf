"""/v1/cancellations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.web.api import SIGNING_KEY, Answer, Api

UNKNOWN = "01KE6P4YM1NBW735SCXHPH8H4V"
GOOD = {"function_id": "greet", "started_before": "2026-01-05T08:00:00Z"}


def post(api: Api, body: Any, **more: Any) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.call("POST", "/v1/cancellations", raw, "application/json", **more)


def test_from_its_creation_to_its_end(api: Api) -> None:
    for name in ("Ada", "Bob"):
        api.send({"name": "demo/greet", "data": {"wait": True, "name": name}})
    api.kit.advance("30m")

    answer = post(
        api,
        {
            "app_id": "",
            "function_id": "greet",
            "started_after": "2026-01-05T09:00:00+00:00",
            "started_before": "2026-01-05T09:30:00Z",
            "if": "event.data.name == 'Ada'",
        },
    )

    assert answer.status == 200
    created = answer.body["data"]
    assert created == {
        "id": created["id"],
        "app_id": None,
        "function_id": "greet",
        "started_after": "2026-01-05T09:00:00.000Z",
        "started_before": "2026-01-05T09:30:00.000Z",
        "if": "event.data.name == 'Ada'",
        "created_at": created["created_at"],
        "status": "Running",
        "ended_at": None,
        "looked_at": 0,
        "cancelled": 0,
        "errors": 0,
    }
    assert answer.body["metadata"]["cached_until"] is None
    api.kit.drain()
    api.kit.advance("2m")
    ended = api.data(f"/v1/cancellations/{created['id']}")
    assert (ended["status"], ended["looked_at"], ended["cancelled"]) == ("Completed", 2, 1)
    assert ended["ended_at"] > ended["created_at"]
    assert api.data("/v1/cancellations") == [ended]
    assert sorted(run["status"] for run in api.data("/v1/runs")) == ["Cancelled", "Running"]


def test_stopping(api: Api) -> None:
    created = post(api, GOOD).body["data"]

    stopped = api.call("DELETE", f"/v1/cancellations/{created['id']}")

    assert (stopped.status, stopped.body["data"]["status"]) == (200, "Stopped")
    api.kit.drain()
    assert api.data(f"/v1/cancellations/{created['id']}") == stopped.body["data"]


def test_the_list_page_by_page(api: Api) -> None:
    made = []
    for _ in range(5):
        api.kit.advance_only("1s")
        made.append(post(api, GOOD).body["data"]["id"])

    first = api.get("/v1/cancellations?limit=3").body
    second = api.get(f"/v1/cancellations?limit=3&cursor={first['metadata']['cursor']}").body

    assert [row["id"] for row in [*first["data"], *second["data"]]] == made[::-1]
    assert "cursor" not in second["metadata"]
    assert api.get("/v1/cancellations?cursor=AAAA").status == 400


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"function_id": None}, "function_id input should be a valid string"),
        ({"function_id": ""}, "function_id"),
        ({"started_before": "tomorrow"}, "started_before must be a time such as 2026-11-24T09:00:00Z"),
        ({"started_before": 17}, "started_before must be a time"),
        ({"started_before": "2026-01-05T10:00:00Z"}, "started_before must not lie in the future"),
        ({"started_after": "2026-01-05T08:00:00Z"}, "started_after must lie before started_before"),
        ({"started_afer": "2026-01-05T07:00:00Z"}, "unknown field 'started_afer'; known are app_id, function_id"),
        ({"if": "event.data.x =="}, "if: the expression cannot be used: "),
        ({"if": "async.data.x == 1"}, "if: the expression cannot be used: "),
        ({"if": 5}, "if input should be a valid string"),
    ],
)
def test_what_is_refused(api: Api, change: dict[str, Any], says: str) -> None:
    answer = post(api, GOOD | change)

    assert answer.status == 400
    assert says in answer.body["error"]
    assert api.data("/v1/cancellations") == []
    assert api.kit.pump.visible() == 0


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the body is not JSON"),
        (b"[]", "the body must be a JSON object"),
        (b"{}", "function_id is missing; started_before is missing"),
    ],
)
def test_bodies_that_cannot_be_read(api: Api, body: bytes, says: str) -> None:
    answer = post(api, body)

    assert (answer.status, says in answer.body["error"]) == (400, True)


def test_what_is_too_large(api: Api) -> None:
    answer = post(api, b" " * 6_300_000 + b"{}")

    assert answer.status == 413
    assert "at most 6,291,456 are allowed" in answer.body["error"]


def test_what_is_not_there(api: Api) -> None:
    assert post(api, GOOD | {"function_id": "nobody"}).body == {
        "error": "there is no function 'nobody', and there are no runs of it",
        "status": 404,
    }
    assert "of the app 'shop'" in post(api, GOOD | {"function_id": "nobody", "app_id": "shop"}).body["error"]
    for method in ("GET", "DELETE"):
        for one in (UNKNOWN, "nonsense"):
            answer = api.call(method, f"/v1/cancellations/{one}")
            assert (answer.status, answer.body["error"]) == (404, f"there is no cancellation {one!r}")


def test_a_signing_key_is_asked_for(locked_api: Api) -> None:
    assert post(locked_api, GOOD).status == 401
    assert locked_api.get("/v1/cancellations").status == 401
    assert post(locked_api, GOOD, authorization=f"Bearer {SIGNING_KEY}").status == 200
