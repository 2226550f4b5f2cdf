"""Looking inside: events, what they caused, runs and their timelines. Shapes follow the SDK protocol's API."""

from __future__ import annotations

import heapq
import re
from typing import Any

from chalicelib.core import ids, limits
from chalicelib.core.calls import ErrorInfo
from chalicelib.core.clock import to_iso
from chalicelib.core.errors import NotFound
from chalicelib.core.events import Event
from chalicelib.core.records import EventRecord
from chalicelib.core.runs import Ending, Run, RunHead, RunStatus
from chalicelib.core.steps import Cause, CauseKind
from chalicelib.core.timeline import timeline
from chalicelib.engine import caused, event_times, joined, lifecycle, settle
from chalicelib.engine.pages import Page, decode_cursor, encode_cursor, not_ours, run_id_at
from chalicelib.engine.services import Services
from chalicelib.engine.unmet_triggers import unmet_triggers

# Of a run (its time and id), or of an event.
_POSITION = re.compile(r"[0-9]{15}#[0-9A-Z]{26}|[0-9A-Z]{26}")


def _before(cursor: str | None) -> str | None:
    """The position in a cursor. Raises InvalidQuery."""
    if cursor is None:
        return None
    position = decode_cursor(cursor)
    if not _POSITION.fullmatch(position):
        raise not_ours()
    return position


def events_page(
    s: Services, *, name: str | None, after_ms: int, before_ms: int, limit: int, cursor: str | None
) -> Page:
    """Events, newest first; without `name`, of all the user's names."""
    before = _before(cursor) or ids.position(before_ms)
    wanted = [name] if name is not None else [n for n in s.events.names() if not n.startswith("inngest/")]
    after = ids.position(after_ms)
    found: list[EventRecord] = []
    more = False
    if after >= before:  # DynamoDB refuses such a range.
        return Page([], None)
    for each in wanted:
        page = s.events.page(each, after=after, before=before, limit=limit)
        found += page.records
        more = more or page.next_position is not None
    found.sort(key=lambda record: _position(record.event), reverse=True)
    shown = found[:limit]
    more = more or len(found) > limit
    rows = [_hydrated(s, record).wire() for record in shown]
    return Page(rows, encode_cursor(_position(shown[-1].event)) if more and shown else None)


def _position(event: Event) -> str:
    return ids.event_position(event.internal_id, event.received_at_ms)


def _hydrated(s: Services, record: EventRecord) -> Event:
    return lifecycle.whole(s, record) or record.event


def _record(s: Services, internal_id: str) -> EventRecord:
    record = s.events.get(internal_id) if ids.is_ulid(internal_id) else None
    if record is None:
        raise NotFound(f"there is no event {internal_id!r}; it may not have been processed yet, or it has expired")
    return record


def event(
    s: Services, internal_id: str, *, limit: int = limits.MAX_PAGE, cursor: str | None = None
) -> tuple[dict[str, Any], str | None]:
    """One event with its audit: how long each stage took, what it started, joined, resumed and cancelled, and what it
    did not start and why; the cursor of further runs that it resumed or cancelled. Raises NotFound, InvalidQuery."""
    record = _record(s, internal_id)
    event = _hydrated(s, record)
    body = event.wire()
    body["processed_at"] = to_iso(record.processed_at_ms)
    body["times"] = event_times.stages(s, record)
    resolved, body["joined"] = joined.resolve(s, record)
    body["started"] = event_times.started(s, resolved)
    body["not_started"] = [
        {
            "function_id": start.fn_id,
            "reason": start.why_not(record.event.id),
        }
        for start in resolved.starts
        if not start.is_live and start.join is None
    ]
    body["notes"] = [{"function_id": start.fn_id, "note": note} for start in record.starts for note in start.notes]
    body["not_started"] += [
        {"function_id": fn_id, "reason": reason} for fn_id, reason in unmet_triggers(s, record, event)
    ]
    shown, following = caused.effects(s, record, limit=limit, cursor=cursor)
    return body | shown, following


def event_runs(s: Services, internal_id: str) -> list[dict[str, Any]]:
    """The runs that the event started, by itself or with others."""
    record, _ = joined.resolve(s, _record(s, internal_id))
    heads = s.runs.heads([start.run_id for start in record.starts if start.is_live])
    return [head.wire() for head in heads]


def runs_page(
    s: Services,
    *,
    fn_id: str | None,
    status: RunStatus | None,
    after_ms: int,
    before_ms: int,
    limit: int,
    cursor: str | None,
) -> Page:
    """Runs, newest first. Status is filtered while reading, so a page may take several reads; it is bounded, and a
    page with fewer rows than asked for may still have a cursor."""
    before = _before(cursor) or _run_position(before_ms)
    wanted = [fn_id] if fn_id is not None else [config.id for config in s.catalog.configs()]
    oldest = _run_position(after_ms)
    rows: list[dict[str, Any]] = []
    for _ in range(10):
        positions = heapq.nlargest(
            limits.MAX_PAGE, (p for each in wanted for p in s.runs.page(each, before=before, limit=limits.MAX_PAGE))
        )
        recent = [position for position in positions if position >= oldest]
        heads = {head.run_id: head for head in s.runs.heads([run_id_at(position) for position in recent])}
        for position in recent:
            head = heads.get(run_id_at(position))
            before = position
            if head is not None and (status is None or head.status is status):
                rows.append(head.wire())
                if len(rows) == limit:
                    return Page(rows, encode_cursor(before))
        if len(recent) < limits.MAX_PAGE:
            return Page(rows, None)
    return Page(rows, encode_cursor(before))


def _run_position(ms: int) -> str:
    return f"{ms:015d}"


def load_run(s: Services, run_id: str) -> Run:
    """Raises NotFound."""
    run = s.runs.load(run_id) if ids.is_ulid(run_id) else None
    if run is None:
        raise NotFound(f"there is no run {run_id!r}")
    return run


def trigger_events(s: Services, run_id: str) -> tuple[Event, ...]:
    """The events that started a run, as the run keeps them. Raises NotFound."""
    events = s.runs.trigger_events(run_id) if ids.is_ulid(run_id) else ()
    if not events:
        raise NotFound(f"there is no run {run_id!r}")
    return events


def run_timeline(s: Services, run_id: str) -> list[dict[str, Any]]:
    run = load_run(s, run_id)
    return timeline(run, s.runs.heads(s.runs.replays(run_id, limits.MAX_PAGE)))


def cancel_run(s: Services, run_id: str) -> RunHead:
    """End a run by the API. A run that has ended already stays as it is."""
    load_run(s, run_id)
    ending = Ending(
        status=RunStatus.CANCELLED,
        ended_at_ms=s.clock.now_ms(),
        error=ErrorInfo(name="FunctionCancelled", message="cancelled by the API"),
        cause=Cause(kind=CauseKind.API),
    )
    head = s.runs.end(run_id, ending, owner=None)
    if head is None:
        raise NotFound(f"there is no run {run_id!r}")
    settle.settle(s, run_id)
    return head
