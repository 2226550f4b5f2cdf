"""What an event has joined instead of starting a run, as its audit shows it."""

from __future__ import annotations

from typing import Any

from chalicelib.core.clock import to_iso
from chalicelib.core.joining import Join, Joined, JoinKind
from chalicelib.core.records import EventRecord, Start
from chalicelib.core.runs import RunHead
from chalicelib.engine import joining
from chalicelib.engine.services import Services


def resolve(s: Services, record: EventRecord) -> tuple[EventRecord, list[dict[str, Any]]]:
    """The record with what has become by now of the starts that joined something: a start of the run that they
    became, or the reason why not; and each of them as the audit shows it."""
    starts, shown = [], []
    for start in record.starts:
        if start.join is None:
            starts.append(start)
            continue
        joined = s.joins.joined(record.event.internal_id, start.fn_id)
        head = None if joined is None else s.runs.head(joined.run_id)
        is_used = None if head is None else _is_used(head, start.join, record)
        starts.append(_resolved(start, joined, is_used))
        shown.append(_shown(s, start, start.join, joined, is_used))
    return record.model_copy(update={"starts": tuple(starts)}), shown


def _is_used(head: RunHead, how: Join, record: EventRecord) -> bool:
    return how.kind is JoinKind.BATCH or head.seed.event_id == record.event.internal_id


def _resolved(start: Start, joined: Joined | None, is_used: bool | None) -> Start:
    if joined is None or is_used is None:
        return start
    became = {"join": None, "run_id": joined.run_id}
    return start.model_copy(update=became if is_used else became | {"skipped": joining.overtaken_text(joined.run_id)})


def _shown(s: Services, start: Start, how: Join, joined: Joined | None, is_used: bool | None) -> dict[str, Any]:
    until = None
    if joined is not None and is_used is None:
        open_now = joining.open_generation(s, start.fn_id, how)
        is_open = open_now is not None and open_now.run_id == joined.run_id
        until = to_iso(open_now.due_ms if is_open and open_now is not None else joined.due_ms)
    return {
        "function_id": start.fn_id,
        "kind": how.kind.value,
        "key": how.key,
        "run_id": None if joined is None else joined.run_id,
        "at": None if joined is None else to_iso(joined.at_ms),
        "until": until,
        "used": is_used,
    }
