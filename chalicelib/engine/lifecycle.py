"""The events that Stepwell sends itself at the end of a run. They are kept by reference: their data is the run."""

from __future__ import annotations

from typing import Any

from chalicelib.core import events as names
from chalicelib.core import ids
from chalicelib.core.events import Event
from chalicelib.core.records import EventRecord
from chalicelib.core.runs import Run, RunHead, RunStatus
from chalicelib.engine.services import Services


class NoExit:
    """Implements engine.ports.Exit where nobody outside listens."""

    def tell(self, event: Event) -> None:
        """Nothing leaves."""


def names_for(head: RunHead) -> list[str]:
    """Which events tell this run's end. None for a run that such an event started: that would never stop."""
    if head.ending is None or head.seed.is_of_ends:
        return []
    if head.ending.status is RunStatus.FAILED:
        return [names.FINISHED, names.FAILED]
    if head.ending.status is RunStatus.CANCELLED:
        return [names.FINISHED, names.CANCELLED]
    return [names.FINISHED]


def event_of(s: Services, run_id: str, name: str) -> Event | None:
    """The event that tells the end of a run, or None when the run is gone or has not ended."""
    run = s.runs.load(run_id)
    return None if run is None or run.head.ending is None else build(run, name)


def whole(s: Services, record: EventRecord) -> Event | None:
    """A recorded event with its data, or None when that was a run's and the run is gone."""
    return record.event if record.from_run is None else event_of(s, record.from_run, record.event.name)


def build(run: Run, name: str) -> Event:
    """The event of a run that has ended."""
    ending = run.head.ending
    assert ending is not None
    payloads = [event.payload() for event in run.events]
    data: dict[str, Any] = {
        "function_id": run.head.seed.fn_id,
        "run_id": run.head.run_id,
        "event": payloads[0],
        "events": payloads,
    }
    if ending.error is not None:
        data["error"] = ending.error.model_dump(exclude_none=True)
    else:
        data["result"] = ending.output
    internal_id = ids.lifecycle_event_id(run.head.run_id, name, ending.ended_at_ms)
    return Event(
        internal_id=internal_id,
        received_at_us=ending.ended_at_ms * 1000,
        id=internal_id,
        name=name,
        data=data,
        ts=ending.ended_at_ms,
        source="stepwell",
    )
