"""Queues: messages in the order in which they were sent, and when each can be seen."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from chalicelib.testing.memory.refusals import Refused

MOST_DELAY_S = 900
MOST_HIDDEN_S = 12 * 3600
_DAY_S = 86_400


def now_ms() -> int:
    """By the clock of this process, which tests move."""
    return time.time_ns() // 1_000_000


@dataclass
class Message:
    """One message. It can be seen from `delayed_until_ms` and `hidden_until_ms` on."""

    id: str
    body: str
    attributes: dict[str, Any]
    sent_at_ms: int
    delayed_until_ms: float
    hidden_until_ms: float = 0
    received_at_ms: int = 0
    first_received_at_ms: int = 0
    receives: int = 0

    @property
    def receipt(self) -> str:
        """Of the newest receive; older ones count no more."""
        return f"{self.id}#{self.receives}"

    def is_delayed(self, now: int) -> bool:
        return self.delayed_until_ms > now

    def is_hidden(self, now: int) -> bool:
        return self.hidden_until_ms > now

    def is_visible(self, now: int) -> bool:
        return not self.is_delayed(now) and not self.is_hidden(now)


@dataclass(frozen=True)
class Depth:
    """How many messages can be seen, are in somebody's hands, are delayed."""

    visible: int
    in_flight: int
    delayed: int


@dataclass
class Queue:
    """A standard queue. `dead` gets what was received `max_receives` times and comes once more."""

    name: str
    url: str
    arn: str
    visibility_s: int = 30
    retention_s: int = 4 * _DAY_S
    dead: Queue | None = None
    max_receives: int = 0
    sent: int = 0
    kept: dict[str, Message] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget all messages."""
        self.kept.clear()
        self.sent = 0

    def messages(self) -> list[Message]:
        """Those that are there, in the order in which they were sent; the outdated are gone."""
        oldest_ms = now_ms() - self.retention_s * 1000
        for message in [one for one in self.kept.values() if one.sent_at_ms < oldest_ms]:
            del self.kept[message.id]
        return list(self.kept.values())

    def send(self, body: str, attributes: dict[str, Any], delay_s: int) -> Message:
        now = now_ms()
        self.sent += 1
        # As unique as a real one, and the same in each run of a test.
        message_id = f"{zlib.crc32(self.name.encode()):08x}-0000-4000-8000-{self.sent:012x}"
        message = Message(message_id, body, attributes, now, now + delay_s * 1000)
        self.kept[message.id] = message
        return message

    def receive(self, most: int, hidden_s: int) -> list[Message]:
        """Take up to so many of those that can be seen; each is hidden for a while."""
        return list(self._receive(most, hidden_s))

    def _receive(self, most: int, hidden_s: int) -> Iterator[Message]:
        now = now_ms()
        for message in self.messages():
            if most == 0:
                return
            if not message.is_visible(now):
                continue
            if self.dead is not None and message.receives >= self.max_receives:
                self.dead.kept[message.id] = self.kept.pop(message.id)
                message.hidden_until_ms = 0
                continue
            message.receives += 1
            message.received_at_ms = now
            message.first_received_at_ms = message.first_received_at_ms or now
            message.hidden_until_ms = now + hidden_s * 1000
            most -= 1
            yield message

    def delete(self, receipt: str) -> None:
        """Delete what was received with this receipt, if it was not received again since. Raises Refused."""
        message = self._of(receipt)
        if message is not None:
            del self.kept[message.id]

    def hide(self, receipt: str, seconds: int) -> None:
        """Have a message in hand be seen again after so many seconds. Raises Refused."""
        message, now = self._of(receipt), now_ms()
        if message is None:
            raise Refused("InvalidParameterValue", "Message does not exist or is not available for visibility timeout")
        if not message.is_hidden(now):
            raise Refused("AWS.SimpleQueueService.MessageNotInflight", "The message is not in flight")
        if now + seconds * 1000 > message.received_at_ms + MOST_HIDDEN_S * 1000:
            raise Refused("InvalidParameterValue", "Total VisibilityTimeout for the message is beyond the limit")
        message.hidden_until_ms = now + seconds * 1000

    def _of(self, receipt: str) -> Message | None:
        message_id, is_receipt, receives = receipt.partition("#")
        if not is_receipt or not receives.isdecimal():
            raise Refused("ReceiptHandleIsInvalid", f'The input receipt handle "{receipt}" is invalid')
        message = self.kept.get(message_id)
        return message if message is not None and message.receipt == receipt else None

    def depth(self) -> Depth:
        now, messages = now_ms(), self.messages()
        delayed = sum(message.is_delayed(now) for message in messages)
        hidden = sum(message.is_hidden(now) and not message.is_delayed(now) for message in messages)
        return Depth(len(messages) - delayed - hidden, hidden, delayed)
