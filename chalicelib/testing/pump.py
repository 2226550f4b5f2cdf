"""Carries messages from the queues to the handlers, as Lambda does: what a handler does not acknowledge stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib import deliveries
from chalicelib.wiring import Platform

INVOCATION_MS = 120_000


@dataclass(frozen=True)
class Invocation:
    """What a handler is told of its invocation."""

    remaining_ms: int = INVOCATION_MS

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


class Pump:
    """Delivers by hand, one batch at a time."""

    def __init__(self, platform: Platform, sqs: Any, remaining_ms: int = INVOCATION_MS) -> None:
        self._platform = platform
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
        return self._deliver(self._platform.config.queue_events_url, deliveries.on_events, 10)

    def deliver_work(self) -> bool:
        """One message of the work queue; whether there was one."""
        return self._deliver(self._platform.config.queue_work_url, deliveries.on_work, 1)

    def _deliver(self, url: str, handler: Callable[[Platform, Any, Any], dict[str, Any]], size: int) -> bool:
        answer = self._sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=size, WaitTimeSeconds=0, MessageSystemAttributeNames=["All"]
        )
        records = [_record(message) for message in answer.get("Messages", [])]
        if not records:
            return False
        self.deliveries += 1
        try:
            result = handler(self._platform, {"Records": records}, self.invocation)
        except Exception:  # As Lambda: an error acknowledges nothing.
            return True
        failed = {failure["itemIdentifier"] for failure in result["batchItemFailures"]}
        for record in records:
            if record["messageId"] not in failed:
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=record["receiptHandle"])
        return True

    def in_flight(self) -> int:
        """Messages that were received and may come again."""
        return self._count("ApproximateNumberOfMessagesNotVisible")

    def waiting(self) -> int:
        """Messages that are delayed."""
        return self._count("ApproximateNumberOfMessagesDelayed")

    def _count(self, attribute: str) -> int:
        total = 0
        for url in (self._platform.config.queue_events_url, self._platform.config.queue_work_url):
            found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[attribute])
            total += int(found["Attributes"][attribute])
        return total


def _record(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
    }
