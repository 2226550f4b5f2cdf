"""Messages that nobody of ours wrote: in the queues, from the bus, and by claim checks that lead elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.aws.queues import claim_of
from chalicelib.testing import Stepwell, start_stepwell
from tests.hostile.strict_aws import strict_aws

NAMED = {"name": "a", "data": {}, "id": "1", "ts": 1}
BODIES = {
    "no JSON": "not JSON",
    "a number": "7",
    "depth": '{"kind":' * 50_000,
    "a list": "[]",
    "an event without its name": json.dumps({"kind": "event", "event": {"internal_id": "x"}}),
    "an unknown kind": json.dumps({"kind": "unheard-of"}),
    "a pickle": "gASVAAAAAAAAAACMCGJ1aWx0aW5zlA==",
    "XML": "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
    "digits": '{"kind": "turn", "run_id": %s}' % ("9" * 10_000),
    "a claim of no text": json.dumps({"stepwell_claim": 7}),
    "a claim that is cut short": '{"stepwell_claim": "payl',
    "a claim of a list": '{"stepwell_claim":' + "[" * 10_000,
}


def put(kit: Stepwell, queue: str, body: str) -> None:
    url = kit.pump._url(queue)  # type: ignore[arg-type]
    kit.pump._sqs.send_message(QueueUrl=url, MessageBody=body)


def deliver_often(kit: Stepwell) -> None:
    for _ in range(4):
        kit.drain()
        kit.advance_only("40s")


def test_what_cannot_be_read_ends_among_the_dead_letters_and_holds_up_nobody() -> None:
    with start_stepwell([], MAX_RECEIVES="3") as kit, strict_aws(kit) as refused_by_aws:
        for queue in ("events", "work"):
            for body in BODIES.values():
                put(kit, queue, body)
        [event_id] = kit.send("alive")
        assert kit.event(event_id)["name"] == "alive"
        deliver_often(kit)

        assert kit.pump.dead_letters() == 2 * len(BODIES)
        assert (kit.pump.visible(), kit.pump.in_flight()) == (0, 0)
        assert not refused_by_aws


ELSEWHERE = [
    "../secrets",
    "payloads/../../x",
    "s3://other/x",
    "arn:aws:s3:::other/x",
    "/etc/passwd",
    "payloads/" + "0" * 63,
    "payloads/" + "0" * 64 + "/x",
    "payloads/" + "0" * 64 + "\n",
    "PAYLOADS/" + "0" * 64,
    "",
    "\x00",
]


@pytest.mark.parametrize("key", ELSEWHERE)
def test_a_claim_check_leads_to_payloads_alone(key: str) -> None:
    """Whoever may write into a queue reads no other object by it."""
    assert claim_of('{"stepwell_claim":' + json.dumps(key) + "}") is None


def test_what_lies_elsewhere_in_the_bucket_is_not_read() -> None:
    with start_stepwell([], MAX_RECEIVES="3") as kit:
        message = {
            "kind": "event",
            "event": {**NAMED, "internal_id": "01KE6P4YM1NBW735SCXHPH8H4V", "received_at_us": 1},
        }
        s3 = kit.platform.room.payloads._client()
        s3.put_object(Bucket=kit.platform.config.bucket, Key="elsewhere", Body=json.dumps(message).encode())
        put(kit, "events", '{"stepwell_claim":"elsewhere"}')
        deliver_often(kit)

        assert kit.events("a") == []
        assert kit.pump.dead_letters() == 1


def envelope(**changes: Any) -> str:
    whole = {"version": "0", "id": "e", "detail-type": "from/bus", "source": "s", "time": "2026-01-05T09:00:00Z"}
    return json.dumps(whole | {"detail": {"a": 1}} | changes)


REFUSED = {
    "no name": envelope(**{"detail-type": None}),
    "a name of ours": envelope(**{"detail-type": "inngest/function.finished"}),
    "a long name": envelope(**{"detail-type": "x" * 257}),
    "a name that is no text": envelope(**{"detail-type": {"a": 1}}),
    "no object": envelope(detail=[1]),
    "a text": envelope(detail='{"a": 1}'),
    "an id that is no text": envelope(id={"a": 1}),
    "half a surrogate pair": envelope(detail={"a": "\ud800"}),
    "half a surrogate pair in its name": envelope(**{"detail-type": "a\ud800"}),
    "half a surrogate pair in its source": envelope(source="a\ud800"),
    "depth": envelope().replace('"a": 1', '"a": ' + "[" * 120 + "]" * 120),
    "more depth": envelope().replace('"a": 1', '"a": ' + "[" * 90_000),
    "infinity": envelope().replace('"a": 1', '"a": 1e400'),
    "not a number": envelope(detail={"a": float("nan")}),
    "10,000 digits": envelope().replace('"a": 1', '"a": ' + "9" * 10_000),
    "cut short": envelope()[:-20],
    "a list": "[" + envelope() + "]",
}
TAKEN = {
    "no time": envelope(time=None),
    "a time that is none": envelope(time={"a": 1}),
    "a time before all": envelope(time="0001-01-01T00:00:00Z"),
    "a time after all": envelope(time="9999-12-31T23:59:59Z"),
    "no source": envelope(source=None),
    "a source that is none": envelope(source={"a": [1]}),
    "a long source": envelope(source="x" * 10_000),
    "no id": envelope(id=None),
    "4,000 digits": envelope().replace('"a": 1', '"a": ' + "9" * 4_000),
    "no characters": envelope(detail={"a": "\x00\ufffe\uffff"}),
    "a field twice": envelope().replace('"version"', '"detail": {}, "version"'),
}


def test_envelopes_of_the_bus_are_taken_or_refused_and_none_comes_again() -> None:
    with start_stepwell([], MAX_RECEIVES="3") as kit, strict_aws(kit) as refused_by_aws:
        for number, body in enumerate([*REFUSED.values(), *TAKEN.values()]):
            put(kit, "events", body.replace('"id": "e"', f'"id": "e{number}"'))
        deliver_often(kit)

        assert (kit.pump.visible(), kit.pump.in_flight(), kit.pump.dead_letters()) == (0, 0, 0)
        assert kit.counts["EventsRefused"] == len(REFUSED)
        assert len(kit.events("from/bus")) == len(TAKEN)
        assert not refused_by_aws
