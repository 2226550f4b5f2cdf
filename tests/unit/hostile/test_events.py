"""Whatever somebody sends as an event is refused in words, or can be stored, queued, shown and matched."""

from __future__ import annotations

import json
import time
from typing import Any

from hypothesis import strategies as st

from chalicelib.core import events, ids, limits
from chalicelib.core.errors import InvalidEvent
from chalicelib.core.events import Event
from chalicelib.core.matching import trigger_matches
from chalicelib.core.messages import EventMessage, event_queue_messages
from chalicelib.engine import bridge
from chalicelib.web.ingest import parse_body
from tests.soak.properties import TRIED, holds

from .generated import bodies, deep, nested, plain, wounded

CPU_SECONDS = 2.0
NAMES = ["name", "data", "user", "id", "ts", "v"]
GOOD = {"name": "shop/paid", "data": {"a": [1, {"b": "c"}], "n": 1.5}, "user": {"u": 1}, "id": "i", "ts": 1, "v": "1"}
ENVELOPE = {"id": "e", "detail-type": "a", "source": "s", "time": "2026-01-05T09:00:00Z", "detail": {"a": 1}}
written = st.one_of(wounded(GOOD, NAMES), wounded([GOOD, GOOD], NAMES), nested(plain, NAMES), deep)
content_types = st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/plain", "", "é"])


def _kept(event: Event) -> None:
    """It goes through the queue as it is, and matching takes it."""
    text = EventMessage(event=event).model_dump_json()
    assert event_queue_messages.validate_json(text) == EventMessage(event=event)
    json.dumps(event.wire(), allow_nan=False, ensure_ascii=False).encode()
    assert len(event.name) <= limits.MAX_EVENT_NAME_CHARS
    assert ids.is_ulid(event.internal_id)
    trigger_matches("event.data.a == async.data.a || event.data.n > 1 || size(event.data) > 1", event.payload())


@holds(150, bodies(written), content_types)
def test_bodies(body: bytes, content_type: str) -> None:
    began, taken, problem = time.process_time(), 0, ""
    try:
        raw = parse_body(body, content_type)
        for item in raw if isinstance(raw, list) else [raw]:
            incoming = events.validate(item, events.measure(item))
            internal_id = ids.event_id(1_767_603_600_000, incoming.name, bytes(10))
            _kept(Event.accept(incoming, internal_id=internal_id, received_at_us=1))
            taken += 1
    except InvalidEvent as refused:
        problem = str(refused)
    TRIED["events", "taken" if taken else "refused"] += 1
    assert time.process_time() - began < CPU_SECONDS
    assert len(problem.encode()) < 2_000


@holds(80, wounded(ENVELOPE, list(ENVELOPE)))
def test_envelopes(text: str) -> None:
    body: Any = text.encode("utf-8", "replace").decode()
    try:
        message = bridge.read(body, 1_767_603_600_000)
    except InvalidEvent as refused:
        str(refused).encode()
        return
    _kept(message.event)
