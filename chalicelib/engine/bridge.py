"""EventBridge, the second entrance: `detail-type` is the event's name, `detail` its data, the envelope's id its id."""

from __future__ import annotations

import hashlib
import json

from chalicelib.core import events, ids
from chalicelib.core.clock import from_iso
from chalicelib.core.errors import InvalidEvent
from chalicelib.core.events import Event
from chalicelib.core.messages import EventMessage

_MAX_SOURCE_CHARS = 256


def is_envelope(body: str) -> bool:
    """Whether the body of a message is EventBridge's."""
    return '"detail-type"' in body and '"kind"' not in body[:20]


def read(body: str, sent_at_ms: int) -> EventMessage:
    """The event of an envelope. Its ids are derived from the envelope, so that a redelivery yields the same.

    Raises InvalidEvent.
    """
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidEvent("the message is not JSON, or is nested too deeply") from None
    if not isinstance(envelope, dict):
        raise InvalidEvent("the message is not an envelope of EventBridge")
    raw = {"name": envelope.get("detail-type"), "data": envelope.get("detail"), "id": envelope.get("id")}
    incoming = events.validate(raw, events.measure(raw))
    source = str(envelope.get("source", ""))[:_MAX_SOURCE_CHARS]
    events.measure(source)  # It is stored, too.
    entropy = hashlib.sha256(str(envelope.get("id", body)).encode("utf-8", "replace")).digest()
    event = Event.accept(
        incoming,
        # In the envelope's own time: the bus may deliver it twice, and a redrive sends it anew.
        internal_id=ids.event_id(_time_ms(envelope.get("time"), sent_at_ms), incoming.name, entropy),
        received_at_us=sent_at_ms * 1000,
        source=f"eventbridge:{source}",
    )
    return EventMessage(event=event)


def _time_ms(time: object, sent_at_ms: int) -> int:
    try:
        return max(0, from_iso(str(time)))
    except (ValueError, OverflowError):
        return sent_at_ms
