"""What operating needs of the world, besides what running functions needs (ports).

All of them raise InfrastructureError when AWS does not answer as it should.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from chalicelib.core.signing import KeySet
from chalicelib.engine.ports import QueueName

SourceQueue = Literal[QueueName.EVENTS, QueueName.WORK]
"""A queue whose messages may die."""


class Keys(Protocol):
    """The keys that callers must present."""

    def read(self) -> KeySet:
        """All of them, as they are now."""
        ...


@dataclass(frozen=True)
class Letter:
    """A dead letter in our hands: nobody else sees it until it is shown again, or its time is over.

    `payload_key`: where the body lies, if it was too large for a message.
    """

    id: str
    queue: SourceQueue
    body: str
    attributes: Mapping[str, str]
    sent_at_ms: int
    receipt: str
    payload_key: str | None = None


class DeadLetters(Protocol):
    """The dead-letter queues. `queue` is the one that a message came from."""

    def put(self, queue: SourceQueue, body: str, attributes: Mapping[str, str]) -> None:
        """Repeating it makes a second copy."""
        ...

    def receive(self, queue: SourceQueue, most: int, *, hidden_s: int, wait_s: int) -> list[Letter]:
        """At most 10, hidden from others for so long; waits for the first one."""
        ...

    def show_again(self, letters: Sequence[Letter]) -> None:
        """Hide them no longer."""
        ...

    def send_back(self, letters: Sequence[Letter]) -> list[Letter]:
        """Send the messages, as they were, to the queue they came from; those that were sent."""
        ...

    def delete(self, letters: Sequence[Letter]) -> None: ...
