"""Accepting events: checked, given an id and a time, and handed to the events queue."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.core import events, ids, limits
from chalicelib.core.errors import InfrastructureError, InvalidEvent, LimitExceeded
from chalicelib.core.events import Event
from chalicelib.core.messages import EventMessage
from chalicelib.core.metrics import Metric
from chalicelib.engine.services import Services, logger


class ReceptionClock:
    """Times of acceptance in microseconds, each later than the one before it in this process, so that the order in
    one request is the order of acceptance."""

    def __init__(self) -> None:
        self._last_us = 0
        self._lock = threading.Lock()

    def next_us(self, now_ms: int) -> int:
        with self._lock:
            self._last_us = max(self._last_us + 1, now_ms * 1000)
            return self._last_us


@dataclass(frozen=True)
class Refusal:
    """An event of a request that was not accepted; `index` counts from 0."""

    index: int
    error: str


@dataclass(frozen=True)
class Accepted:
    """`ids` of what was accepted, in order."""

    ids: tuple[str, ...]
    refusals: tuple[Refusal, ...] = ()
    fault: str | None = None


def accept(s: Services, reception: ReceptionClock, raw: object, seed: ids.EventSeed | None = None) -> Accepted:
    """Accept one event or a list of them.

    With `seed`, a request that is sent again yields the same ids, and its events are known by their records. The good
    ones of a list are accepted though others are refused. Raises LimitExceeded for too many.
    """
    items = raw if isinstance(raw, list) else [raw]
    if not items:
        raise InvalidEvent("the list of events is empty")
    if len(items) > limits.MAX_EVENTS_PER_REQUEST:
        s.metrics.count(Metric.EVENTS_REFUSED, len(items))
        raise LimitExceeded(
            f"{len(items):,} events in one request; at most {limits.MAX_EVENTS_PER_REQUEST:,} are allowed"
        )
    messages, refusals = [], []
    for index, item in enumerate(items):
        try:
            incoming = events.validate(item, events.measure(item))
        except InvalidEvent as error:
            refusals.append(Refusal(index, str(error)))
            continue
        received_us = reception.next_us(s.clock.now_ms())
        if seed is not None:
            internal_id = seed.event_id(index, incoming.name)
        else:
            internal_id = ids.event_id(received_us // 1000, incoming.name, s.chance.entropy())
        event = Event.accept(incoming, internal_id=internal_id, received_at_us=received_us)
        messages.append(EventMessage(event=event))
    s.metrics.count(Metric.EVENTS_REFUSED, len(refusals))
    return _send(s, messages, tuple(refusals))


def _send(s: Services, messages: Sequence[EventMessage], refusals: tuple[Refusal, ...]) -> Accepted:
    sent: list[str] = []
    for start in range(0, len(messages), 10):
        chunk = messages[start : start + 10]
        try:
            s.queues.send_events(chunk)
        except InfrastructureError as error:
            logger.error("events could not be queued", extra={"accepted": len(sent), "error": str(error)})
            fault = "the events could not be queued; send those again that have no id in this answer"
            return Accepted(tuple(sent), refusals, fault=fault)
        for message in chunk:
            event = message.event
            logger.info("event received", extra={"event_id": event.internal_id, "event_name": event.name})
            sent.append(event.internal_id)
    return Accepted(tuple(sent), refusals)


def step_sender(
    s: Callable[[], Services], reception: ReceptionClock
) -> Callable[[str, str, list[dict[str, Any]]], list[str]]:
    """What `ctx.step.send_event` calls: ids are derived from run and step, so that a step that is run again sends the
    same events and not new ones."""

    def send(run_id: str, step_id: str, raws: list[dict[str, Any]]) -> list[str]:
        services = s()
        # The run's own time, not the clock's: an attempt that is repeated must yield the same ids.
        base_ms = ids.ulid_time_ms(run_id)
        messages = []
        for index, raw in enumerate(raws):
            incoming = events.validate(raw, events.measure(raw))
            internal_id = ids.step_event_id(run_id, step_id, index, incoming.name, base_ms)
            received_us = reception.next_us(services.clock.now_ms())
            event = Event.accept(incoming, internal_id=internal_id, received_at_us=received_us, source="step")
            messages.append(EventMessage(event=event))
        for start in range(0, len(messages), 10):
            services.queues.send_events(messages[start : start + 10])
        return [message.event.internal_id for message in messages]

    return send
