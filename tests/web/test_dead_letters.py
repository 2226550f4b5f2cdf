"""/v1/dead-letters."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from chalicelib.core import limits
from chalicelib.core.messages import AnyEventMessage, AnyWorkMessage
from chalicelib.web.models.dead_letters import DeadLetter
from tests.web.api import Api

UNKNOWN = "6f1a4bb2-0000-4000-8000-000000000000"
GONE = "payloads/" + "0" * 64


def put(api: Api, queue: str, body: str, **attributes: str) -> str:
    """A letter as SQS or EventBridge leave them; its id."""
    config = api.kit.platform.config
    url = config.dead_events_url if queue == "events" else config.dead_work_url
    sent: str = api.client("sqs").send_message(
        QueueUrl=url,
        MessageBody=body,
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )["MessageId"]
    return sent


def fail(api: Api, data: dict[str, Any], queue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send an event, and let its message, or the run's, fail to the last delivery."""
    runs = api.kit.platform.services.runs
    with monkeypatch.context() as patch:
        patch.setattr(type(runs), "create" if queue == "events" else "take_lease", broken)
        api.send({"name": "demo/greet", "data": data})
        for _ in range(limits.MAX_RECEIVES):
            api.kit.advance_only("3m")
            api.kit.drain()


def broken(*_: object, **__: object) -> None:
    raise OSError("the disk is full")


def letters(api: Api, query: str = "") -> list[dict[str, Any]]:
    api.kit.advance_only(1)
    rows: list[dict[str, Any]] = api.data(f"/v1/dead-letters{query}")
    return rows


def test_a_run_that_stands_still_tells_why_and_goes_on_after_a_redrive(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(api, {"name": "Ada"}, "work", monkeypatch)
    run_id = api.kit.only_run().run_id

    (letter,) = letters(api)
    assert (letter["queue"], letter["kind"], letter["run_id"]) == ("work", "turn", run_id)
    assert letter["reason"] == "OSError: the disk is full"
    assert letter["receives"] == limits.MAX_RECEIVES
    assert letter["since"] < letter["died_at"]
    assert json.loads(letter["body"])["run_id"] == run_id
    assert api.data(f"/v1/runs/{run_id}")["stalled"].endswith("dead letters: OSError: the disk is full")
    (stalled,) = [one for one in api.data(f"/v1/runs/{run_id}/timeline") if one["type"] == "run.stalled"]
    assert "OSError" in stalled["reason"]

    api.kit.advance_only(1)
    answer = api.call("POST", f"/v1/dead-letters/{letter['id']}/redrive")
    assert (answer.status, answer.body["data"]["id"]) == (200, letter["id"])
    api.kit.drain()
    assert letters(api) == []
    run = api.data(f"/v1/runs/{run_id}")
    assert (run["status"], run["output"]) == ("Completed", "Hello, Ada!")
    assert "stalled" not in run


def test_an_event_that_could_not_be_processed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(api, {"name": "Bob"}, "events", monkeypatch)

    (letter,) = letters(api, "?queue=events")
    assert (letter["kind"], letter["event_name"]) == ("event", "demo/greet")
    assert letter["event_id"] == api.kit.events("demo/greet")[0]["internal_id"]
    api.kit.advance_only(1)
    assert api.call("POST", "/v1/dead-letters/redrive?queue=events").body["data"] == {
        "redriven": 1,
        "remaining": 0,
        "approximate": True,
    }
    api.kit.drain()
    assert api.kit.only_run().output == "Hello, Bob!"


def test_a_large_event_comes_back_whole(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(api, {"name": "x" * 100_000}, "events", monkeypatch)

    (letter,) = letters(api)
    assert (letter["kind"], letter["event_id"]) == ("event", None)
    assert letter["payload"].startswith("payloads/")
    api.kit.advance_only(1)
    api.call("POST", "/v1/dead-letters/redrive")
    api.kit.drain()
    assert len(api.kit.only_run().output) > 100_000


ENVELOPE = {
    "id": "e-1",
    "detail-type": "demo/bus",
    "source": "shop",
    "time": "2026-01-05T09:00:00Z",
    "detail": {"a": 1},
}


@pytest.mark.parametrize(
    ("queue", "body", "attributes", "expected"),
    [
        (
            "events",
            json.dumps(ENVELOPE),
            {"ERROR_CODE": "X", "ERROR_MESSAGE": "denied", "RETRY_ATTEMPTS": "3"},
            {"kind": "eventbridge", "event_name": "demo/bus", "receives": 3},
        ),
        ("events", '{"detail-type": 5}', {}, {"kind": "unreadable"}),
        ("events", "[" * 100_000 + '"detail-type"', {}, {"kind": "unreadable", "body_chars": 100_013}),
        ("events", "not JSON", {}, {"kind": "unreadable", "body": "not JSON", "receives": None, "died_at": None}),
        ("events", '{"stepwell_claim":5}', {}, {"kind": "unreadable"}),
        ("events", '{"stepwell_claim":', {}, {"kind": "unreadable"}),
        ("events", '{"stepwell_claim":"payloads/gone"}', {}, {"kind": "unreadable"}),
        ("events", f'{{"stepwell_claim":"{GONE}"}}', {}, {"kind": "event", "payload": GONE}),
        (
            "events",
            '{"kind": "lifecycle", "run_id": "r", "name": "inngest/function.finished"}',
            {},
            {"kind": "lifecycle", "run_id": "r"},
        ),
        (
            "work",
            '{"kind": "planned_step", "run_id": "r", "step_id": "s"}',
            {},
            {"kind": "planned_step", "run_id": "r"},
        ),
        ("work", '{"kind": "unheard-of"}', {"reason": "r", "receives": "10"}, {"kind": "unreadable", "reason": "r"}),
    ],
)
def test_whatever_a_letter_is_it_is_shown_and_can_be_deleted(
    api: Api, queue: str, body: str, attributes: dict[str, str], expected: dict[str, Any]
) -> None:
    letter_id = put(api, queue, body, **attributes)

    (letter,) = letters(api)
    assert letter["id"] == letter_id
    assert letter["queue"] == queue
    assert {key: letter[key] for key in expected} == expected
    if not attributes:
        assert letter["reason"] == "its process died or ran out of time each time"
    api.kit.advance_only(1)
    assert api.call("DELETE", f"/v1/dead-letters/{letter_id}").body["data"]["id"] == letter_id
    assert letters(api) == []
    assert api.kit.pump.visible() == 0


def test_of_many_some_are_shown_and_all_are_redriven(api: Api) -> None:
    for number in range(27):
        put(api, "work", json.dumps({"kind": "turn", "run_id": f"r{number}"}))
    put(api, "events", "not JSON")

    answer = api.get("/v1/dead-letters?limit=15")
    assert len(answer.body["data"]) == 15
    assert answer.body["metadata"]["queues"] == {
        "events": {"visible": 1, "in_flight": 0, "approximate": True},
        "work": {"visible": 27, "in_flight": 0, "approximate": True},
    }
    api.kit.advance_only(1)
    assert len(letters(api, "?limit=100")) == 28
    api.kit.advance_only(1)
    assert api.call("POST", "/v1/dead-letters/redrive").body["data"]["redriven"] == 28
    assert (letters(api), api.kit.pump.visible()) == ([], 28)


def test_one_of_many_is_found(api: Api) -> None:
    found = [put(api, "work", json.dumps({"kind": "turn", "run_id": f"r{number}"})) for number in range(25)]

    answer = api.call("POST", f"/v1/dead-letters/{found[20]}/redrive?queue=work")
    assert answer.body["data"]["run_id"] == "r20"
    assert len(letters(api, "?limit=100")) == 24


def test_a_letter_in_another_viewers_hands_is_told_of(api: Api) -> None:
    letter_id = put(api, "work", "x")
    url = api.kit.platform.config.dead_work_url
    api.client("sqs").receive_message(QueueUrl=url, VisibilityTimeout=30)

    answer = api.get("/v1/dead-letters")
    assert answer.body["data"] == []
    assert answer.body["metadata"]["queues"]["work"]["in_flight"] == 1
    refused = api.call("POST", f"/v1/dead-letters/{letter_id}/redrive")
    assert refused.status == 404
    assert "in flight to another viewer" in refused.body["error"]
    api.kit.advance_only("31s")
    assert len(letters(api)) == 1


def test_a_redrive_ends_when_its_time_is_up_and_says_what_remains(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(25):
        put(api, "work", "x")
    office = api.kit.platform.room.dead_letters
    send_back = office.send_back

    def slow(held: Any) -> Any:
        api.kit.advance_only("8s")
        return send_back(held)

    monkeypatch.setattr(type(office), "send_back", lambda _, held: slow(held))
    answer = api.call("POST", "/v1/dead-letters/redrive")
    assert answer.body["data"] == {"redriven": 20, "remaining": 5, "approximate": True}


def test_what_dies_again_meanwhile_does_not_go_round_and_round(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    put(api, "work", "poison")
    office = api.kit.platform.room.dead_letters
    send_back = office.send_back

    def dies_again(held: Any) -> Any:
        api.kit.advance_only("1s")
        put(api, "work", "poison")
        return send_back(held)

    monkeypatch.setattr(type(office), "send_back", lambda _, held: dies_again(held))
    assert api.call("POST", "/v1/dead-letters/redrive").body["data"]["redriven"] == 1
    assert len(letters(api)) == 1


@pytest.mark.parametrize(
    ("method", "path", "says"),
    [
        ("GET", "/v1/dead-letters?queue=dead-work", "queue must be one of events, work"),
        ("GET", "/v1/dead-letters?limit=0", "limit must be a number"),
        ("GET", "/v1/dead-letters?cursor=x", "unknown parameter 'cursor'; known are queue, limit"),
        ("POST", "/v1/dead-letters/redrive?queue=x", "queue must be one of"),
        ("POST", f"/v1/dead-letters/{UNKNOWN}/redrive?limit=5", "unknown parameter 'limit'; known are queue"),
        ("DELETE", f"/v1/dead-letters/{UNKNOWN}?queue=x", "queue must be one of"),
    ],
)
def test_bad_parameters(api: Api, method: str, path: str, says: str) -> None:
    answer = api.call(method, path)
    assert (answer.status, says in answer.body["error"]) == (400, True), answer


@pytest.mark.parametrize("letter_id", [UNKNOWN, "x", "%00"])
def test_a_letter_that_is_not_there(api: Api, letter_id: str) -> None:
    for method, path in (
        ("POST", f"/v1/dead-letters/{letter_id}/redrive"),
        ("DELETE", f"/v1/dead-letters/{letter_id}"),
    ):
        assert api.call(method, path).status == 404


def test_each_kind_of_message_may_be_shown_as_a_dead_letter() -> None:
    messages = (*get_args(AnyEventMessage), *get_args(AnyWorkMessage))
    kinds = {message.model_fields["kind"].default for message in messages}

    assert kinds <= set(get_args(DeadLetter.model_fields["kind"].annotation))


def test_a_page_of_a_replay(api: Api) -> None:
    created = api.call("POST", "/v1/functions/greet/replay").body["data"]
    (message,) = api.kit.pump.hold("events")
    put(api, "events", message["body"])

    (letter,) = letters(api)

    assert (letter["kind"], letter["run_id"]) == ("replay", None)
    assert created["id"] in letter["body"]
