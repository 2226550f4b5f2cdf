"""What a story works with: one deployed stage, seen from outside."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.e2e.api import Api
from tests.e2e.deploying import Hands
from tests.e2e.ground import Ground


@dataclass(frozen=True)
class Delivery:
    """What one invocation got from its queue: message ids, and how often each had been received by then."""

    function: str
    messages: dict[str, int]


@dataclass(frozen=True)
class World:
    """One stage."""

    ground: Ground
    hands: Hands
    stage: str
    api: Api

    def marks(self, name: str) -> int:
        """How many marks of this name the functions have left."""
        path = self.ground.marks / name
        return len(path.read_text().splitlines()) if path.exists() else 0

    def deliveries(self, message_id: str) -> list[Delivery]:
        """All deliveries of a message so far, in order."""
        if not self.ground.journal.exists():
            return []
        found = []
        for line in self.ground.journal.read_text().splitlines():
            if message_id in line:
                one = json.loads(line)
                messages = {message["id"]: message["receives"] for message in one["messages"]}
                found.append(Delivery(one["function"], messages))
        return found
