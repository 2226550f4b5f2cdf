"""STEPWELL_EXIT=1: the events of runs' ends are told on the stage's event bus, too (docs/EVENTBRIDGE.md)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.aws.bus import EventBus
from chalicelib.core.errors import InfrastructureError
from chalicelib.core.events import Event
from chalicelib.sdk import Cancel, Context, NonRetriableError, TriggerEvent, function
from chalicelib.testing import Stepwell, cloud, start_stepwell
from chalicelib.testing.session import kit_session
from tests.scenarios.insides import Died, replace_services

BUS = "stepwell-test"


@function(fn_id="pack", trigger=TriggerEvent(event="order"), cancel=[Cancel(event="stop")])
def pack(ctx: Context) -> dict[str, Any]:
    if ctx.event.data.get("fail"):
        raise NonRetriableError("sold out")
    if ctx.event.data.get("wait"):
        ctx.step.sleep("wait", "1d")
    return {"packed": ctx.event.data.get("n")}


@function(fn_id="count", trigger=TriggerEvent(event="inngest/function.finished"))
def count(_: Context) -> None:
    pass


def lead(queue: str, pattern: dict[str, Any]) -> None:
    """A rule of the bus that leads into a queue."""
    events: Any = kit_session().create_client("events")
    arn = f"arn:aws:sqs:{cloud.REGION}:123456789012:{queue}"
    events.put_rule(Name=queue, EventBusName=BUS, EventPattern=json.dumps(pattern), State="ENABLED")
    events.put_targets(Rule=queue, EventBusName=BUS, Targets=[{"Id": "queue", "Arn": arn}])


class Listening:
    """A kit whose bus leads to a listener's queue, and by our own rule into the events queue."""

    def __init__(self, kit: Stepwell) -> None:
        self.kit = kit
        session = kit_session()
        events: Any = session.create_client("events")
        sqs: Any = session.create_client("sqs")
        events.create_event_bus(Name=BUS)
        self._sqs = sqs
        self._url = self._sqs.create_queue(QueueName="outside")["QueueUrl"]
        lead("outside", {"source": ["stepwell"]})
        lead("stepwell-test-events", cloud.resources()["EventsRule"]["Properties"]["EventPattern"])

    def heard(self) -> list[dict[str, Any]]:
        """What the listener got since it was asked last."""
        found = []
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return found


@contextlib.contextmanager
def listening(switch: str = "1") -> Iterator[Listening]:
    with start_stepwell([pack, count], BUS=BUS, EXIT=switch) as kit:
        yield Listening(kit)


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({"n": 1}, {"inngest/function.finished"}),
        ({"fail": True}, {"inngest/function.finished", "inngest/function.failed"}),
        ({"wait": True}, {"inngest/function.finished", "inngest/function.cancelled"}),
    ],
)
def test_the_end_of_a_run_is_told_outside(data: dict[str, Any], names: set[str]) -> None:
    with listening() as at:
        at.kit.send("order", data)
        at.kit.send("stop")

        heard = at.heard()
        [run] = at.kit.runs(pack)
        assert {message["detail-type"] for message in heard} == names
        assert {message["source"] for message in heard} == {"stepwell"}
        for message in heard:
            assert message["detail"]["data"]["run_id"] == run.run_id
            shown = at.kit.event(message["detail"]["internal_id"])
            assert message["detail"] == {name: shown[name] for name in message["detail"]}


def test_what_is_told_outside_does_not_come_back_in() -> None:
    with listening() as at:
        at.kit.send("order")

        assert len(at.heard()) == 1
        assert at.kit.pump.visible() == at.kit.pump.in_flight() == 0
        # The listener inside has run once, and the end of its run is told nowhere: that would never stop.
        assert (at.kit.counts["RunsStarted"], at.kit.counts["EventsIn"]) == (2, 1)


@pytest.mark.parametrize("switch", ["", "0"])
def test_nothing_leaves_unless_it_is_switched_on(switch: str) -> None:
    with listening(switch) as at:
        at.kit.send("order")
        at.kit.send("order", {"fail": True})

        assert at.heard() == []


class Unwell:
    """A bus that cannot be reached at first."""

    def __init__(self, bus: Any, error: BaseException, times: int) -> None:
        self._bus: EventBus = bus
        self._error = error
        self.left = times

    def tell(self, event: Event) -> None:
        self.left -= 1
        if self.left >= 0:
            raise self._error
        self._bus.tell(event)


def test_a_bus_that_cannot_be_reached_is_tried_again() -> None:
    with listening() as at:
        bus = Unwell(at.kit.platform.services.exit, InfrastructureError("EventBridge is away"), times=3)
        replace_services(at.kit, exit=bus)
        at.kit.send("order", {"n": 1})
        assert at.heard() == []
        # Everything inside has been done by then.
        assert [run.status for run in at.kit.runs()] == ["Completed", "Completed"]

        at.kit.advance("1m")

        [message] = at.heard()
        assert message["detail"]["data"]["result"] == {"packed": 1}
        assert bus.left < 0


def test_whoever_hears_it_twice_can_tell() -> None:
    with listening() as at:
        bus = at.kit.platform.services.exit
        at.kit.send_only("order")
        at.kit.pump.deliver_event()
        at.kit.pump.deliver_work()
        held = at.kit.pump.hold("events")
        assert at.kit.pump.deliver("events", held, acknowledge=False)
        replace_services(at.kit, exit=Unwell(bus, Died(), times=1))
        with pytest.raises(Died):
            at.kit.pump.deliver("events", held)
        assert at.kit.pump.deliver("events", held)

        first, second = at.heard()
        assert first["detail"] == second["detail"]
        assert first["detail"]["internal_id"] == first["detail"]["id"]


def test_a_result_that_is_too_large_for_the_bus_is_left_out() -> None:
    @function(fn_id="huge", trigger=TriggerEvent(event="order"))
    def huge(_: Context) -> str:
        return "ä" * 200_000

    with listening() as at:
        at.kit.deploy([huge])
        at.kit.send("order")

        [message] = at.heard()
        assert message["detail"]["data"]["omitted"] == ["event", "events", "result"]
        assert at.kit.run(message["detail"]["data"]["run_id"]).output == "ä" * 200_000
