"""How long each stage of an event's processing took: in the queue, until it was recorded, until everything that waits
for it was told, and from its acceptance until each thing it caused."""

from __future__ import annotations

from typing import Any

from chalicelib.core.clock import to_iso
from chalicelib.core.records import EventRecord, EventTimes
from chalicelib.engine.services import Services


def stages(s: Services, record: EventRecord) -> dict[str, Any]:
    """Times and durations of the stages; null where they are not known (yet)."""
    received, began = record.event.received_at_ms, record.processed_at_ms
    times = _kept(s, record)
    return {
        "began_at": to_iso(began),
        "recorded_at": None if times is None else to_iso(times.recorded_ms),
        "matched_at": None if times is None else to_iso(times.matched_ms),
        "queue_ms": between(received, began),
        "record_ms": None if times is None else between(began, times.recorded_ms),
        "match_ms": None if times is None else between(times.recorded_ms, times.matched_ms),
    }


def _kept(s: Services, record: EventRecord) -> EventTimes | None:
    """With one of the runs that the event started, else by themselves."""
    live = [start.run_id for start in record.starts if start.is_live]
    if not live:
        return s.events.times(record.event.internal_id)
    return next((times for run_id in live if (times := s.runs.event_times(run_id)) is not None), None)


def started(s: Services, record: EventRecord) -> list[dict[str, Any]]:
    """The runs that the event starts, and when they were created; null for a run that is not there (yet)."""
    live = [start for start in record.starts if start.is_live]
    created = {head.run_id: head.seed.created_at_ms for head in s.runs.heads([start.run_id for start in live])}
    received = record.event.received_at_ms
    return [
        {
            "function_id": start.fn_id,
            "run_id": start.run_id,
            "at": None if (at_ms := created.get(start.run_id)) is None else to_iso(at_ms),
            "after_ms": None if at_ms is None else between(received, at_ms),
        }
        for start in live
    ]


def between(from_ms: int, until_ms: int) -> int:
    """Two processes took the times, and their clocks may differ."""
    return max(0, until_ms - from_ms)
