"""docs/EVENTBRIDGE.md says what happens: its examples are put through the bus's entrance and exit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml  # type: ignore[import-untyped]

from chalicelib.sdk import Context, NonRetriableError, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell
from infra.local import cloud, stack

DOCS = (Path(__file__).parents[2] / "docs" / "EVENTBRIDGE.md").read_text(encoding="utf-8")
ENVELOPE, SEEN, LEAVING = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL))
SEEN_BY: list[dict[str, Any]] = []


@function(fn_id="place", trigger=TriggerEvent(event="shop/order.placed"))
def place(ctx: Context) -> str:
    event = ctx.event
    SEEN_BY.append({"name": event.name, "data": dict(event.data), "id": event.id, "ts": event.ts})
    return "active"


@function(fn_id="refuse", trigger=TriggerEvent(event="shop/order.refused"))
def refuse(_ctx: Context) -> None:
    raise NonRetriableError("no")


@function(
    fn_id="thumbnail",
    trigger=TriggerEvent(event="Object Created", expression='event.data.bucket.name == "my-uploads"'),
)
def thumbnail(ctx: Context) -> str:
    key: str = ctx.event.data["object"]["key"]
    return key


def client(service: str) -> Any:
    return botocore.session.get_session().create_client(service)


def arrive(kit: Stepwell, **changes: Any) -> None:
    """An envelope reaches the events queue, as our rule sends it."""
    body = json.dumps(ENVELOPE | changes)
    client("sqs").send_message(QueueUrl=kit.platform.config.queue_events_url, MessageBody=body)
    kit.drain()


def only_event(kit: Stepwell, name: str = ENVELOPE["detail-type"]) -> dict[str, Any]:
    (event,) = kit.events(name)
    return event


def test_the_envelope_becomes_what_the_page_shows() -> None:
    SEEN_BY.clear()
    with start_stepwell([place]) as kit:
        arrive(kit)
        (seen,) = SEEN_BY
        event = only_event(kit)
    assert seen.keys() == SEEN.keys()
    assert {**seen, "ts": 0} == {**SEEN, "ts": 0}
    assert event["source"] == "eventbridge:com.example.shop"
    assert (event["user"], event["v"]) == ({}, None)


def test_ts_is_when_it_reached_the_queue_and_not_what_the_sender_says() -> None:
    with start_stepwell([place]) as kit:
        before = kit.now
        arrive(kit, time="2020-01-01T00:00:00Z")
        event = only_event(kit)
    assert event["ts"] / 1000 == pytest.approx(before.timestamp(), abs=1)


def test_a_second_delivery_starts_nothing_new_also_weeks_later() -> None:
    with start_stepwell([place]) as kit:
        arrive(kit)
        arrive(kit)
        kit.advance("21d")
        arrive(kit)
        assert len(kit.runs(place)) == 1
        assert len(kit.events("shop/order.placed")) == 1


def test_a_sender_who_repeats_gets_a_new_id_and_a_new_run() -> None:
    with start_stepwell([place]) as kit:
        arrive(kit)
        arrive(kit, id="another")
        assert len(kit.runs(place)) == 2


def test_names_with_spaces_start_functions_as_the_example_says() -> None:
    with start_stepwell([thumbnail]) as kit:
        arrive(kit, **{"detail-type": "Object Created"}, detail={"bucket": {"name": "other"}, "object": {"key": "a"}})
        assert kit.runs() == []
        mine = {"bucket": {"name": "my-uploads"}, "object": {"key": "b"}}
        arrive(kit, **{"detail-type": "Object Created"}, detail=mine, id="2")
        assert kit.only_run().output == "b"


def nested(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(levels):
        inner = {"x": inner}
    return inner


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"detail-type": "inngest/function.finished"}, "are reserved for events that Stepwell sends"),
        ({"detail-type": "x" * 257}, "at most 256 characters"),
        ({"detail-type": " order"}, "must not begin or end with white space"),
        ({"detail": nested(101)}, "nested more than 100 levels deep"),
    ],
)
def test_what_is_refused_is_logged_with_its_reason_and_not_tried_again(
    changes: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with start_stepwell([place]) as kit:
        arrive(kit, **changes)
        assert kit.runs() == []
        assert (kit.pump.visible(), kit.pump.in_flight(), kit.pump.dead_letters()) == (0, 0, 0)
    (line,) = [one for one in caplog.records if one.getMessage() == "event from the bus refused"]
    assert reason in line.__dict__["reason"]
    assert line.getMessage() in DOCS


def leaving() -> list[dict[str, Any]]:
    """What was put on the stage's bus, read back through a rule of the test's own."""
    queue = client("sqs").get_queue_url(QueueName="listening")["QueueUrl"]
    found = client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in found]


def listen(bus: str) -> None:
    """A rule as the page's last line has it, for all names."""
    events, sqs = client("events"), client("sqs")
    events.create_event_bus(Name=bus)
    url = sqs.create_queue(QueueName="listening")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="listen", EventBusName=bus, EventPattern=json.dumps({"source": ["stepwell"]}))
    events.put_targets(Rule="listen", EventBusName=bus, Targets=[{"Id": "q", "Arn": arn}])


def test_the_end_of_a_run_leaves_as_the_page_shows() -> None:
    with start_stepwell([place, refuse], EXIT="1", BUS="stepwell-test") as kit:
        listen("stepwell-test")
        kit.send("shop/order.placed", {"order": 1}, id="order-1")
        (told,) = leaving()
        run = kit.only_run()
        assert (told["source"], told["detail-type"]) == ("stepwell", "inngest/function.finished")
        detail = told["detail"]
        assert detail.keys() == LEAVING.keys()
        assert detail["data"].keys() == LEAVING["data"].keys()
        assert detail["data"]["event"].keys() == LEAVING["data"]["event"].keys()
        assert (detail["data"]["run_id"], detail["data"]["result"]) == (run.run_id, "active")
        assert detail["data"]["event"]["id"] == "order-1"

        kit.send("shop/order.refused")
        names = {one["detail-type"]: one["detail"]["data"] for one in leaving()}
        assert names.keys() == {"inngest/function.finished", "inngest/function.failed"}
        assert all("result" not in data and data["error"]["message"] == "no" for data in names.values())


def test_nothing_leaves_unless_it_is_switched_on() -> None:
    with start_stepwell([place], BUS="stepwell-test") as kit:
        listen("stepwell-test")
        kit.send("shop/order.placed")
        assert leaving() == []


def test_the_command_of_the_page_reaches_the_queue_through_our_rule(aws: cloud.Cloud) -> None:
    (entries,) = re.findall(r"put-events --entries '(.*?)'\n", DOCS, re.DOTALL)
    entry = {**json.loads(entries)[0], "EventBusName": aws.outputs["EventBusName"]}
    bus, sqs = stack.client("events", aws.endpoint), stack.client("sqs", aws.endpoint)
    url = aws.outputs["EventsQueueUrl"]
    assert bus.put_events(Entries=[{**entry, "Source": "stepwell"}, entry])["FailedEntryCount"] == 0
    (message,) = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    envelope = json.loads(message["Body"])
    assert envelope.keys() >= ENVELOPE.keys()
    assert (envelope["detail-type"], envelope["detail"]) == (ENVELOPE["detail-type"], ENVELOPE["detail"])


def test_the_template_of_the_page_can_be_read_and_leads_to_a_stage_s_bus() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
    resources = yaml.load(text.replace("!Sub ", "").replace("!GetAtt ", ""), Loader=yaml.SafeLoader)["Resources"]
    (target,) = resources["UploadsToStepwell"]["Properties"]["Targets"]
    assert target["Arn"].endswith(":event-bus/stepwell-prod")
    assert target["RoleArn"].split(".")[0] in resources
