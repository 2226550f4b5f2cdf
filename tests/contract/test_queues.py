"""engine.ports.Queues and the claim check that messages and items share."""

from __future__ import annotations

import json

import pytest

from chalicelib.aws.payloads import INLINE_BYTES
from chalicelib.aws.queues import unpack
from chalicelib.core.errors import InfrastructureError
from chalicelib.core.messages import (
    AnyEventMessage,
    EventMessage,
    LifecycleMessage,
    PlannedStepMessage,
    TurnMessage,
    event_queue_messages,
    work_messages,
)
from chalicelib.engine.ports import QueueName
from tests.contract import build
from tests.contract.conftest import World

GONE = "payloads/" + "0" * 64


@pytest.fixture(autouse=True)
def _empty_queues(world: World) -> None:
    for url in (world.config.queue_events_url, world.config.queue_work_url):
        world.receive(url)


def events(world: World) -> list[AnyEventMessage]:
    bodies = world.receive(world.config.queue_events_url)
    return [event_queue_messages.validate_json(unpack(body, world.room.payloads)) for body in bodies]


# events


@pytest.mark.parametrize("count", [0, 1, 2, 10, 23])
def test_all_events_arrive_whatever_their_number(world: World, count: int) -> None:
    sent = [EventMessage(event=build.event(world), target="fn") for _ in range(count)]
    world.room.queues.send_events(sent)
    found = events(world)
    assert sorted(map(str, found)) == sorted(map(str, sent))


def test_the_end_of_a_run_travels_beside_events(world: World) -> None:
    sent: list[EventMessage | LifecycleMessage] = [
        LifecycleMessage(run_id=world.new(), name="inngest/function.finished"),
        EventMessage(event=build.event(world)),
    ]
    world.room.queues.send_events(sent)
    assert sorted(map(str, events(world))) == sorted(map(str, sent))


def test_ten_events_of_3_mb_travel_by_claim_check_in_one_request(world: World) -> None:
    text = "ä" * 1_500_000
    sent = [EventMessage(event=build.event(world, data={"text": text, "n": number})) for number in range(10)]

    world.room.queues.send_events(sent)

    bodies = world.receive(world.config.queue_events_url)
    assert max(map(len, bodies)) < 200
    found = [event_queue_messages.validate_json(unpack(body, world.room.payloads)) for body in bodies]
    assert sorted(map(str, found)) == sorted(map(str, sent))


@pytest.mark.parametrize("size", [16_000, 65_000, 70_000])
def test_an_event_about_as_large_as_the_limit_arrives(world: World, size: int) -> None:
    sent = EventMessage(event=build.event(world, data={"text": "x" * size}))
    world.room.queues.send_events([sent])
    assert events(world) == [sent]


def test_an_event_that_looks_like_a_claim_check_is_not_one(world: World) -> None:
    sent = EventMessage(event=build.event(world, data={"stepwell_claim": "payloads/none"}))
    world.room.queues.send_events([sent])
    assert events(world) == [sent]


def test_characters_that_sqs_refuses_are_escaped(world: World) -> None:
    text = "".join(map(chr, range(0x20))) + "\x7f\ufffd\ufffe\uffff\U0001ffff \\ufffe"
    sent = EventMessage(event=build.event(world, data={text: text}))

    world.room.queues.send_events([sent])

    (body,) = world.receive(world.config.queue_events_url)
    assert all(
        char in "\t\n\r" or 0x20 <= ord(char) <= 0xD7FF or 0xE000 <= ord(char) <= 0xFFFD or ord(char) > 0xFFFF
        for char in body
    )
    assert event_queue_messages.validate_json(body) == sent


# work


def test_turns_and_planned_steps_arrive(world: World) -> None:
    sent: list[TurnMessage | PlannedStepMessage] = [
        TurnMessage(run_id=world.new(), due_ms=5, hop=3),
        PlannedStepMessage(run_id=world.new(), step_id=build.STEP, attempt=2, due_ms=7),
    ]
    for message in sent:
        world.room.queues.send_work(message)
    found = [work_messages.validate_json(body) for body in world.receive(world.config.queue_work_url)]
    assert sorted(map(str, found)) == sorted(map(str, sent))


def test_a_delayed_turn_is_not_there_yet(world: World) -> None:
    world.room.queues.send_work(TurnMessage(run_id=world.new()), delay_s=900)
    assert world.receive(world.config.queue_work_url) == []


def test_a_message_comes_back_when_told_and_is_deleted_by_hand(world: World) -> None:
    url = world.config.queue_work_url
    world.room.queues.send_work(TurnMessage(run_id=world.new()))
    sqs = world.client("sqs")

    def receive() -> list[dict[str, str]]:
        found: list[dict[str, str]] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=0).get("Messages", [])
        return found

    (first,) = receive()
    assert receive() == []
    world.room.queues.come_back(url, first["ReceiptHandle"], 0)
    (second,) = receive()
    assert second["MessageId"] == first["MessageId"]
    world.room.queues.delete(url, second["ReceiptHandle"])
    assert receive() == []


# payloads


@pytest.mark.parametrize(
    ("queue", "url"),
    [
        (QueueName.EVENTS, "queue_events_url"),
        (QueueName.WORK, "queue_work_url"),
        (QueueName.DEAD_EVENTS, "dead_events_url"),
        (QueueName.DEAD_WORK, "dead_work_url"),
    ],
)
def test_how_much_lies_in_each_queue(world: World, queue: QueueName, url: str) -> None:
    before, sqs, address = world.room.queues.depth(queue), world.client("sqs"), getattr(world.config, url)
    for delay_s in (0, 0, 0, 60):
        sqs.send_message(QueueUrl=address, MessageBody="{}", DelaySeconds=delay_s)
    assert len(sqs.receive_message(QueueUrl=address, MaxNumberOfMessages=1)["Messages"]) == 1

    after = world.room.queues.depth(queue)

    assert (
        after.visible - before.visible,
        after.in_flight - before.in_flight,
        after.delayed - before.delayed,
    ) == (2, 1, 1)


def test_text_up_to_the_limit_stays_in_the_item(world: World) -> None:
    payloads = world.room.payloads
    for text in ("", "x" * INLINE_BYTES, "ä" * (INLINE_BYTES // 2)):
        assert payloads.fields("res", text) == {"res": text}
        assert payloads.read({"res": text}, "res") == text
    assert payloads.read({}, "res") is None


@pytest.mark.parametrize("text", ["x" * (INLINE_BYTES + 1), "ä" * (INLINE_BYTES // 2 + 1)])
def test_larger_text_lies_in_s3_under_its_hash(world: World, text: str) -> None:
    first, second = (world.room.payloads.fields("res", text) for _ in range(2))

    assert first == second
    assert list(first) == ["res_at"]
    assert world.room.payloads.read(first, "res") == text
    # Beside a field that an update put because it was absent, the key tells the truth.
    assert world.room.payloads.read(first | {"res": "{}"}, "res") == text


def test_a_payload_that_is_gone_is_a_fault(world: World) -> None:
    with pytest.raises(InfrastructureError):
        world.room.payloads.get(GONE)
    with pytest.raises(InfrastructureError):
        unpack(json.dumps({"stepwell_claim": GONE}, separators=(",", ":")), world.room.payloads)
