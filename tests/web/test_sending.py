"""POST /e/{key}."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.core import ids, limits
from tests.web.api import Api, serve

FORM = "application/x-www-form-urlencoded"


def test_one_event(api: Api) -> None:
    answer = api.send({"name": "demo/greet", "data": {"name": "Ada"}})

    assert answer.status == 200
    assert answer.body == {"ids": [api.kit.events("demo/greet")[0]["internal_id"]], "status": 200}
    assert api.kit.only_run().output == "Hello, Ada!"


def test_many_events_in_their_order(api: Api) -> None:
    answer = api.send([{"name": "demo/x", "data": {"n": n}} for n in range(25)])

    assert len(set(answer.body["ids"])) == 25
    assert all(ids.is_ulid(event_id) for event_id in answer.body["ids"])
    assert [api.data(f"/v1/events/{event_id}")["data"]["n"] for event_id in answer.body["ids"]] == list(range(25))


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", FORM, "application/json; charset=utf-8"])
def test_json_whatever_the_content_type(api: Api, content_type: str) -> None:
    """curl -d says it sends a form."""
    body = b' {"name": "demo/x", "data": {"text": "a=b&c=d%20"}}'
    answer = api.call("POST", "/e/dev", body, content_type)
    api.kit.drain()

    assert answer.status == 200
    assert api.kit.events("demo/x")[0]["data"] == {"text": "a=b&c=d%20"}


def test_a_form(api: Api) -> None:
    body = b"name=demo%2Fx&data=%7B%22a%22%3A+1%7D&id=f-1&ts=1700000000000&ignored=1"
    answer = api.call("POST", "/e/dev", body, FORM)
    api.kit.drain()

    assert answer.status == 200
    [event] = api.kit.events("demo/x")
    assert (event["data"], event["id"], event["ts"]) == ({"a": 1}, "f-1", 1_700_000_000_000)


@pytest.mark.parametrize(
    ("body", "content_type", "says"),
    [
        (b"", "application/json", "the body is not JSON"),
        (b"{", "application/json", "the body is not JSON"),
        (b'{"name": "a",}', "application/json", "the body is not JSON"),
        (b"hello", "text/plain", "the body is not JSON"),
        (b"\xff\xfe", "application/json", "not"),
        (b'{"name": "a", "data": {"x": NaN}}', "application/json", "NaN is not a JSON value"),
        (b'{"name": "a", "data": {"x": 1e999}}', "application/json", "not a JSON value"),
        (b"[" * 100_000, "application/json", "nested too deeply"),
        (b'{"name": "a", "data": ' + b'{"a":' * 200 + b"1" + b"}" * 201, "application/json", "more than 100 levels"),
        (b'{"name": "a", "data": {"x": "\\ud800"}}', "application/json", "not valid Unicode"),
        (b'{"name": "a", "data": {"x": ' + b"9" * 5_000 + b"}}", "application/json", "the body is not JSON"),
        (b"[]", "application/json", "the list of events is empty"),
        (b"17", "application/json", "must be a JSON object"),
        (b'"text"', "application/json", "must be a JSON object"),
        (b"null", "application/json", "must be a JSON object"),
        (b"name", FORM, "send JSON, or the fields name, data, user, id, ts"),
        (b"name=a&data=x", FORM, "the field 'data' is not JSON"),
        ("name=a&ts=²".encode(), FORM, "ts: input should be a valid integer"),
        (b"name=a&ts=" + b"9" * 5_000, FORM, "ts: input should be a valid integer"),
        (b"&".join(b"a%d=1" % n for n in range(50)), FORM, "the form cannot be read"),
        (b'{"name": "inngest/x"}', "application/json", "reserved"),
        (b'{"data": {}}', "application/json", "name is missing"),
    ],
)
def test_what_is_refused(api: Api, body: bytes, content_type: str, says: str) -> None:
    answer = api.call("POST", "/e/dev", body, content_type)

    assert answer.status == 400
    assert answer.body["status"] == 400
    assert says in answer.body["error"]
    assert api.kit.pump.visible() == 0


def test_of_a_batch_that_is_partly_bad_the_good_ones_are_accepted(api: Api) -> None:
    answer = api.send([{"name": "demo/x"}, {"name": ""}, {"name": "demo/x"}, 5])

    assert answer.status == 400
    assert len(answer.body["ids"]) == 2
    assert answer.body["error"].startswith("event 1: name: ")
    assert [error["index"] for error in answer.body["errors"]] == [1, 3]
    assert "must be a JSON object" in answer.body["errors"][1]["error"]
    assert {event["internal_id"] for event in api.kit.events("demo/x")} == set(answer.body["ids"])


def test_too_many_and_too_large(api: Api) -> None:
    many = api.send([{"name": "demo/x"}] * (limits.MAX_EVENTS_PER_REQUEST + 1))
    assert (many.status, many.body["error"]) == (400, "5,001 events in one request; at most 5,000 are allowed")

    large = api.send({"name": "demo/x", "data": {"x": "x" * limits.MAX_EVENT_BYTES}})
    assert large.status == 400
    assert "at most 3,145,728 are allowed" in large.body["error"]

    huge = api.send([{"name": "demo/x", "data": {"x": "x" * 2_000_000}} for _ in range(4)])
    assert huge.status == 413
    assert "send less at once" in huge.body["error"]


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ("first-event-key-0001", 200),
        ("second-event-key-0002", 200),
        ("third-event-key-0003", 401),
        ("secret", 401),
        ("%C3%BC", 401),
    ],
)
def test_event_keys(locked_api: Api, key: str, status: int) -> None:
    answer = locked_api.send({"name": "demo/x"}, key)

    assert answer.status == status
    if status == 401:
        assert answer.body == {"error": "this event key is not known", "status": 401}
        assert locked_api.kit.pump.visible() == 0


def test_without_keys_nobody_gets_in() -> None:
    with serve(DEV="0") as api:
        assert api.send({"name": "demo/x"}).status == 401


def test_the_answer_names_only_what_was_queued_when_the_queue_fails(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.core.errors import InfrastructureError

    queues = api.kit.platform.services.queues
    send, calls = queues.send_events, []

    def failing(messages: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise InfrastructureError("SQS is unwell")
        send(messages)

    monkeypatch.setattr(queues, "send_events", failing)
    body = json.dumps([{"name": "demo/x"}] * 15).encode()
    answer = api.call("POST", "/e/dev", body, "application/json")

    assert answer.status == 503
    assert len(answer.body["ids"]) == 10
    assert "send those again that have no id" in answer.body["error"]
