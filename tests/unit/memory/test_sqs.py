"""What SQS in memory does as time goes by, and what it refuses, as AWS does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from chalicelib.testing import cloud
from chalicelib.testing.memory.refusals import Refused
from chalicelib.testing.memory.sqs import Sqs

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
MEGABYTE = 1024 * 1024


class Queue:
    """The work queue, its dead letters and a clock."""

    def __init__(self, sqs: Sqs, traveller: time_machine.Traveller) -> None:
        self.sqs = sqs
        self._traveller = traveller

    def ask(self, operation: str, name: str = "work", **request: Any) -> Any:
        return self.sqs.answer(operation, {"QueueUrl": self.sqs.queues[f"stepwell-test-{name}"].url, **request})

    def receive(self, name: str = "work", most: int = 10, **request: Any) -> list[Any]:
        found: list[Any] = self.ask(
            "ReceiveMessage",
            name,
            MaxNumberOfMessages=most,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
            **request,
        ).get("Messages", [])
        return found

    def bodies(self, name: str = "work", most: int = 10, **request: Any) -> list[str]:
        return [message["Body"] for message in self.receive(name, most, **request)]

    def wait(self, **by: float) -> None:
        self._traveller.shift(timedelta(**by))


@pytest.fixture
def queue() -> Iterator[Queue]:
    with time_machine.travel(START, tick=False) as traveller:
        yield Queue(cloud.open_account().sqs, traveller)


def test_messages_come_in_the_order_in_which_they_were_sent(queue: Queue) -> None:
    for number in range(12):
        queue.ask("SendMessage", MessageBody=str(number))
    assert queue.bodies() == [str(number) for number in range(10)]
    assert queue.bodies() == ["10", "11"]
    assert queue.bodies() == []


def test_a_message_is_hidden_until_its_time_is_over(queue: Queue) -> None:
    queue.ask("SendMessage", MessageBody="a", MessageAttributes={"b": {"DataType": "String", "StringValue": "c"}})
    [first] = queue.receive(VisibilityTimeout=30)
    queue.wait(seconds=29.999)
    assert queue.receive() == []
    queue.wait(seconds=0.001)
    [second] = queue.receive(VisibilityTimeout=30)
    assert second["MessageId"] == first["MessageId"]
    assert second["MessageAttributes"] == {"b": {"DataType": "String", "StringValue": "c"}}
    sent_ms = int(START.timestamp() * 1000)
    assert second["Attributes"] == {
        "SentTimestamp": str(sent_ms),
        "ApproximateReceiveCount": "2",
        "ApproximateFirstReceiveTimestamp": str(sent_ms),
    }


def test_an_old_receipt_deletes_nothing(queue: Queue) -> None:
    queue.ask("SendMessage", MessageBody="a")
    [first] = queue.receive(VisibilityTimeout=0)
    [second] = queue.receive(VisibilityTimeout=1)
    queue.ask("DeleteMessage", ReceiptHandle=first["ReceiptHandle"])
    queue.wait(seconds=1)
    [third] = queue.receive(VisibilityTimeout=1)
    with pytest.raises(Refused):
        queue.ask("ChangeMessageVisibility", ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=9)
    # Late, but the newest.
    queue.wait(seconds=5)
    queue.ask("DeleteMessage", ReceiptHandle=third["ReceiptHandle"])
    queue.ask("DeleteMessage", ReceiptHandle=third["ReceiptHandle"])
    assert queue.receive() == []


def test_a_delayed_message_comes_when_it_is_due(queue: Queue) -> None:
    queue.ask("SendMessage", MessageBody="late", DelaySeconds=900)
    queue.ask("SendMessage", MessageBody="soon")
    assert queue.bodies() == ["soon"]
    names = [f"ApproximateNumberOfMessages{suffix}" for suffix in ("", "NotVisible", "Delayed")]
    depth = queue.ask("GetQueueAttributes", AttributeNames=names)["Attributes"]
    assert list(depth.values()) == ["0", "1", "1"]
    queue.wait(seconds=900)
    assert "late" in queue.bodies()


def test_what_is_received_too_often_lies_among_the_dead(queue: Queue) -> None:
    queue.ask("SendMessage", MessageBody="a")
    for _ in range(10):
        assert queue.bodies(VisibilityTimeout=0) == ["a"]
    assert queue.receive() == []
    [dead] = queue.receive("work-dead")
    assert (dead["Body"], dead["Attributes"]["ApproximateReceiveCount"]) == ("a", "11")


def test_nothing_is_kept_longer_than_its_queue_keeps_messages(queue: Queue) -> None:
    queue.ask("SendMessage", MessageBody="a", DelaySeconds=900)
    queue.wait(days=14)
    assert queue.bodies(VisibilityTimeout=0) == ["a"]
    queue.wait(seconds=1)
    assert queue.receive() == []


def test_a_message_is_not_hidden_for_more_than_twelve_hours(queue: Queue) -> None:
    queue.ask("SendMessage", MessageBody="a")
    [held] = queue.receive(VisibilityTimeout=43_200)
    queue.wait(hours=1)
    with pytest.raises(Refused, match="beyond the limit"):
        queue.ask("ChangeMessageVisibility", ReceiptHandle=held["ReceiptHandle"], VisibilityTimeout=43_200)
    queue.ask("ChangeMessageVisibility", ReceiptHandle=held["ReceiptHandle"], VisibilityTimeout=39_600)


def entries(*bodies: str, **more: Any) -> dict[str, Any]:
    return {"Entries": [{"Id": str(number), "MessageBody": body, **more} for number, body in enumerate(bodies)]}


REFUSED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "nothing": ("MissingParameter", "SendMessage", {"MessageBody": ""}),
    "a character": ("InvalidMessageContents", "SendMessage", {"MessageBody": "a\x00"}),
    "half a character": ("InvalidMessageContents", "SendMessage", {"MessageBody": "\ud83d"}),
    "the last of a plane": ("InvalidMessageContents", "SendMessage", {"MessageBody": "\uffff"}),
    "more than a megabyte": ("InvalidParameterValue", "SendMessage", {"MessageBody": "x" * (MEGABYTE + 1)}),
    "a long delay": ("InvalidParameterValue", "SendMessage", {"MessageBody": "a", "DelaySeconds": 901}),
    "eleven": ("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "SendMessageBatch", entries(*"abcdefghijk")),
    "none": ("AWS.SimpleQueueService.EmptyBatchRequest", "SendMessageBatch", entries()),
    "a large batch": ("AWS.SimpleQueueService.BatchRequestTooLong", "SendMessageBatch", entries(*["x" * 600_000] * 2)),
    "an id twice": (
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        "SendMessageBatch",
        {"Entries": [{"Id": "a", "MessageBody": "a"}] * 2},
    ),
    "no receipt": ("ReceiptHandleIsInvalid", "DeleteMessage", {"ReceiptHandle": "none"}),
    "eleven at once": ("InvalidParameterValue", "ReceiveMessage", {"MaxNumberOfMessages": 11}),
    "a long hiding": ("InvalidParameterValue", "ReceiveMessage", {"VisibilityTimeout": 43_201}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_aws_refuses_is_refused_and_nothing_is_sent(queue: Queue, what: str) -> None:
    code, operation, request = REFUSED[what]
    with pytest.raises(Refused) as refused:
        queue.ask(operation, **request)
    assert refused.value.code == code
    assert queue.receive() == []


def test_of_a_batch_each_is_refused_by_itself(queue: Queue) -> None:
    answer = queue.ask("SendMessageBatch", **entries("a", "\x00", "b"))
    assert [one["Id"] for one in answer["Successful"]] == ["0", "2"]
    assert [(one["Id"], one["Code"]) for one in answer["Failed"]] == [("1", "InvalidMessageContents")]
    assert queue.bodies() == ["a", "b"]


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("PurgeQueue", {}),
        ("SendMessage", {"MessageBody": "a", "MessageGroupId": "g"}),
        ("GetQueueAttributes", {"AttributeNames": ["Policy"]}),
        ("ReceiveMessage", {"MessageSystemAttributeNames": ["SenderId"]}),
        ("ReceiveMessage", {"AttributeNames": ["All"]}),
    ],
)
def test_what_is_not_known_here_is_said(queue: Queue, operation: str, request_: dict[str, Any]) -> None:
    queue.ask("SendMessage", MessageBody="a")
    with pytest.raises(NotImplementedError):
        queue.ask(operation, **request_)
