"""What was done in a storm, told line by line: enough to follow how something went wrong."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from chalicelib.core.clock import to_iso
from tests.faults.storms.weather import Fault


class History:
    """Lines with the world's time, indented by how many handlers are at work; and how often each fault happened."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.faults: Counter[Fault] = Counter()

    def tell(self, now_ms: int, depth: int, text: str) -> None:
        self.lines.append(f"{to_iso(now_ms)[5:-1]}  {'  ' * depth}{text}")

    def fault(self, now_ms: int, depth: int, fault: Fault, where: str) -> None:
        self.faults[fault] += 1
        self.tell(now_ms, depth, f"! {fault.value}{f': {where}' if where else ''}")


def described(record: dict[str, Any]) -> str:
    """A message in a few words."""
    receives = int(record["attributes"].get("ApproximateReceiveCount", 1))
    again = "" if receives == 1 else f", delivery {receives}"
    return f"{record['messageId']}{again} ({said(record['body'])})"


def said(body: str) -> str:
    """What a message says."""
    try:
        message: dict[str, Any] = json.loads(body)
    except ValueError:
        return "unreadable"
    kind = message.get("kind", "envelope")
    event = message.get("event")
    if isinstance(event, dict):
        return f"{kind} {event['name']} {event['internal_id'][-6:]}"
    about = message.get("run_id") or message.get("event_id") or ""
    return " ".join(filter(None, [kind, about[-6:], message.get("name") or message.get("timeout") or ""]))
