"""The way out: the events that tell a run's end, for those outside who listen on the event bus."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.core.events import Event

# What an event of a run's end repeats of others, in the order in which it is left out of one that is too large.
_LEFT_OUT = (("event", "events"), ("result",))


class NoExit:
    """Implements engine.ports.Exit where nobody listens."""

    def tell(self, event: Event) -> None:
        """Nothing leaves."""


def detail(event: Event, most_bytes: int) -> str:
    """The event as JSON, as the API shows it. One that would have more than `most_bytes` is told without what
    triggered the run, and if need be without its result; `data.omitted` names what was left out."""
    body: dict[str, Any] = event.wire()
    text = _json(body)
    omitted: list[str] = []
    for names in _LEFT_OUT:
        if len(text.encode()) <= most_bytes:
            break
        omitted += [name for name in names if name in event.data]
        kept = {name: value for name, value in event.data.items() if name not in omitted}
        text = _json({**body, "data": {**kept, "omitted": omitted}})
    return text


def _json(body: dict[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
