"""The exit by the event bus, on both emulators: what a listener's queue gets, and what a fault is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import botocore.awsrequest
import pytest

from chalicelib.aws.bus import EventBus, detail
from chalicelib.core import events as names
from chalicelib.core.errors import InfrastructureError
from chalicelib.core.events import Event
from chalicelib.testing import cloud as template
from tests.contract import build
from tests.contract.conftest import World

# The rule by which events on the bus come in.
OWN_PATTERN = template.resources()["EventsRule"]["Properties"]["EventPattern"]


@dataclass
class Listeners:
    """A bus with a listener to all runs' ends, and with our own rule."""

    name: str
    bus: EventBus
    client: Any
    outside_url: str
    own_url: str


def queue(world: World, events: Any, bus: str, name: str, pattern: dict[str, Any]) -> str:
    sqs = world.client("sqs")
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern), State="ENABLED")
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    return url


@pytest.fixture
def listeners(world: World) -> Listeners:
    events, name = world.client("events"), f"bus-{world.new()}"
    events.create_event_bus(Name=name)
    outside = queue(world, events, name, f"outside-{name}", {"source": ["stepwell"]})
    own = queue(world, events, name, f"own-{name}", OWN_PATTERN)
    return Listeners(name, EventBus(lambda: events, name), events, outside, own)


def finished(world: World, data: dict[str, Any]) -> Event:
    event = build.event(world, names.FINISHED, data=data)
    return event.model_copy(update={"source": "stepwell"})


def heard(world: World, url: str) -> list[dict[str, Any]]:
    found = []
    sqs = world.client("sqs")
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages"):
        for message in messages:
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def test_a_listener_gets_the_event_as_the_api_shows_it(world: World, listeners: Listeners) -> None:
    event = finished(world, {"function_id": "pack", "run_id": world.new(), "result": {"ä": [1, None]}})

    listeners.bus.tell(event)

    [message] = heard(world, listeners.outside_url)
    assert (message["source"], message["detail-type"]) == ("stepwell", "inngest/function.finished")
    assert message["detail"] == event.wire()


def test_what_left_does_not_come_in_again(world: World, listeners: Listeners) -> None:
    listeners.bus.tell(finished(world, {}))
    listeners.client.put_events(
        Entries=[{"EventBusName": listeners.name, "Source": "com.example", "DetailType": "shop/order", "Detail": "{}"}]
    )

    assert [message["source"] for message in heard(world, listeners.own_url)] == ["com.example"]
    assert [message["source"] for message in heard(world, listeners.outside_url)] == ["stepwell"]


def test_an_event_that_is_too_large_leaves_without_what_it_repeats(world: World, listeners: Listeners) -> None:
    trigger = {"name": "order", "data": {"text": "ä" * 70_000}}
    run = {"function_id": "pack", "run_id": world.new(), "event": trigger, "events": [trigger]}

    listeners.bus.tell(finished(world, {**run, "result": "small"}))
    listeners.bus.tell(finished(world, {**run, "result": "ä" * 140_000}))

    told = [message["detail"]["data"] for message in heard(world, listeners.outside_url)]
    without_both, without_trigger = sorted(told, key=len)
    kept = {"function_id": "pack", "run_id": run["run_id"]}
    assert without_trigger == {**kept, "result": "small", "omitted": ["event", "events"]}
    assert without_both == {**kept, "omitted": ["event", "events", "result"]}


@pytest.mark.parametrize("size", [1_000, 100_000, 127_000, 130_000, 1_000_000])
@pytest.mark.parametrize("where", ["event", "result", "both"])
def test_what_leaves_always_fits(world: World, size: int, where: str) -> None:
    small, large = {"text": ""}, {"text": "\u20ac" * (size // 3)}
    trigger, result = (large if where in (name, "both") else small for name in ("event", "result"))
    event = finished(world, {"run_id": "r", "event": trigger, "events": [trigger], "result": result})

    text = detail(event, 256 * 1024)

    data = json.loads(text)["data"]
    assert len(text.encode()) <= 256 * 1024
    assert data["run_id"] == "r"
    # Nothing is left out that would have fitted.
    everything = len(json.dumps(event.wire(), ensure_ascii=False, separators=(",", ":")).encode())
    assert ("omitted" in data) == (everything > 256 * 1024)
    assert ("result" in data) == (where == "event" or size <= 130_000)


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def answering(status: int, body: dict[str, Any]) -> Callable[..., Any]:
    def answer(request: Any, **_: Any) -> Any:
        # botocore asks all of its listeners and takes the first answer: moto must not carry it out all the same.
        request.url = "http://nowhere.invalid/"
        raw, headers = _Raw(json.dumps(body).encode()), dict[str, str]()
        return botocore.awsrequest.AWSResponse("", status, headers, raw)  # type: ignore[arg-type]

    return answer


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (
            200,
            {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException", "ErrorMessage": "slow"}]},
            "slow",
        ),
        (400, {"__type": "AccessDeniedException", "message": "not you"}, "not you"),
    ],
)
def test_what_the_bus_refuses_is_a_fault(world: World, listeners: Listeners, status: int, body: Any, says: str) -> None:
    answer = answering(status, body)
    listeners.client.meta.events.register_first("before-send.events.PutEvents", answer)
    with pytest.raises(InfrastructureError, match=says):
        listeners.bus.tell(finished(world, {}))
    listeners.client.meta.events.unregister("before-send.events.PutEvents", answer)

    listeners.bus.tell(finished(world, {}))
    assert len(heard(world, listeners.outside_url)) == 1
