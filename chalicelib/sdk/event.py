"""An event as functions see and send it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.core import events


@dataclass(frozen=True, kw_only=True)
class Event:
    """An event.

    `name` is required. `id`, if given, makes a function start once in 24 hours; `ts` is in milliseconds since
    the epoch. Left out, Stepwell sets both. `data` and `user` are JSON objects.
    """

    name: str
    data: dict[str, Any] = field(default_factory=dict)
    id: str = ""
    ts: int = 0
    user: dict[str, Any] = field(default_factory=dict)
    v: str | None = None

    @classmethod
    def of(cls, accepted: events.Event) -> Event:
        """The event that triggers a run."""
        return cls.from_payload(accepted.payload())

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Event:
        """The event from the JSON object that the engine keeps; the event owns its copy of the data."""
        return cls(
            name=payload["name"],
            data=copy_json(payload.get("data") or {}),
            id=payload.get("id") or "",
            ts=payload.get("ts") or 0,
            user=copy_json(payload.get("user") or {}),
            v=payload.get("v"),
        )

    def payload(self) -> dict[str, Any]:
        """The event as it is sent."""
        body: dict[str, Any] = {"name": self.name, "data": self.data}
        optional = {"id": self.id, "ts": self.ts, "user": self.user, "v": self.v}
        return body | {key: value for key, value in optional.items() if value}


def copy_json(value: Any) -> Any:
    """A copy of a JSON value, so that a function that changes what it got does not change what is stored."""
    if isinstance(value, dict):
        return {key: copy_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copy_json(item) for item in value]
    return value
