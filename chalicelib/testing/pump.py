"""Carries messages from the queues to the handlers, as Lambda does: what a handler does not acknowledge stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from chalicelib import deliveries
from chalicelib.wiring import Platform

INVOCATION_MS = 120_000

Record = dict[str, Any]
QueueName = Literal["events", "work"]
Handler = Callable[[Platform, Any, Any], dict[str, Any]]


@dataclass(frozen=True)
class Invocation:
    """What a handler is told of its invocation."""

    remaining_ms: int = INVOCATION_MS

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


class Pump:
    """Delivers by hand, one batch at a time."""

    def __init__(self, platform: Platform, sqs: Any, remaining_ms: int = INVOCATION_MS) -> None:
        self.platform = platform
        self._sqs = sqs
        self.invocation = Invocation(remaining_ms)
        self.deliveries = 0

    def drain(self, most: int = 10_000) -> None:
        """Deliver until nothing is visible. Raises AssertionError when it does not come to rest."""
        for _ in range(most):
            if not self.deliver_event() and not self.deliver_work():
                return
        raise AssertionError(f"the queues did not come to rest within {most} deliveries")

    def deliver_event(self) -> bool:
        """One batch of the events queue; whether there was one."""
        return self._deliver(self.platform.config.queue_events_url, deliveries.on_events, 10)

    def deliver_work(self) -> bool:
        """One message of the work queue; whether there was one."""
        return self._deliver(self.platform.config.queue_work_url, deliveries.on_work, 1)

    def _deliver(self, url: str, handler: Handler, size: int) -> bool:
        records = self._receive(url, size)
        if not records:
            return False
        self._hand_over(url, handler, records, acknowledge=True)
        return True

    def _receive(self, url: str, most: int) -> list[Record]:
        answer = self._sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=most, WaitTimeSeconds=0, MessageSystemAttributeNames=["All"]
        )
        return [_record(message) for message in answer.get("Messages", [])]

    def _hand_over(self, url: str, handler: Handler, records: list[Record], *, acknowledge: bool) -> bool:
        self.deliveries += 1
        try:
            result = handler(self.platform, {"Records": records}, self.invocation)
        except Exception:  # As Lambda: an error acknowledges nothing.
            return False
        failed = {failure["itemIdentifier"] for failure in result["batchItemFailures"]}
        if acknowledge:
            self._delete(url, [record for record in records if record["messageId"] not in failed])
        return not failed

    def _delete(self, url: str, records: list[Record]) -> None:
        for record in records:
            self._sqs.delete_message(QueueUrl=url, ReceiptHandle=record["receiptHandle"])

    def hold(self, queue: QueueName, most: int = 10) -> list[Record]:
        """Take messages out without delivering them; unless they are delivered they come back by themselves."""
        return self._receive(self._url(queue), most)

    def deliver(self, queue: QueueName, records: list[Record], *, acknowledge: bool = True) -> bool:
        """Deliver held messages, or the same ones once more; whether all were handled. With `acknowledge=False`
        they come back, as when a process dies after its work."""
        handler = deliveries.on_events if queue == "events" else deliveries.on_work
        return self._hand_over(self._url(queue), handler, records, acknowledge=acknowledge)

    def lose(self, queue: QueueName, records: list[Record]) -> None:
        """Delete held messages though nobody handled them."""
        self._delete(self._url(queue), records)

    def _url(self, queue: QueueName) -> str:
        config = self.platform.config
        return config.queue_events_url if queue == "events" else config.queue_work_url

    def in_flight(self) -> int:
        """Messages that were received and may come again."""
        return self._count("ApproximateNumberOfMessagesNotVisible")

    def waiting(self) -> int:
        """Messages that are delayed."""
        return self._count("ApproximateNumberOfMessagesDelayed")

    def visible(self) -> int:
        """Messages that could be delivered now."""
        return self._count("ApproximateNumberOfMessages")

    def dead_letters(self) -> int:
        """Messages that nobody could handle, of both queues."""
        return self._count("ApproximateNumberOfMessages", "-dead")

    def _count(self, attribute: str, suffix: str = "") -> int:
        total = 0
        for url in (self.platform.config.queue_events_url, self.platform.config.queue_work_url):
            found = self._sqs.get_queue_attributes(QueueUrl=url + suffix, AttributeNames=[attribute])
            total += int(found["Attributes"][attribute])
        return total


def _record(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
    }
