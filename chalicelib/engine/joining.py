"""Debounces and batches: an event joins the generation of a run instead of starting one, and the run is created when
the generation is due or full. Every event joins once, and every generation becomes one run, however often the messages
come.

An event joins after its record is written, so that a generation needs no more than ids. What follows from joining is
in the marker that says so, and done by the event's own message, again if it comes again: that the due message is sent
need not be recorded. What is closed lies in a row of its own until its run is there, so that the next generation can
be open meanwhile.
"""

from __future__ import annotations

from chalicelib.core import events, limits
from chalicelib.core import joining as rule
from chalicelib.core.errors import TransactionConflict
from chalicelib.core.events import Event
from chalicelib.core.joining import Arrival, Closed, Gathered, Generation, Join, Joined, JoinKind
from chalicelib.core.messages import JoinDueMessage
from chalicelib.core.records import EventRecord, Start
from chalicelib.engine import flow, lifecycle, start, timing
from chalicelib.engine.flow_ports import Cell, CellKey, Mechanism
from chalicelib.engine.logs import ids_logged
from chalicelib.engine.services import Services, logger

_MECHANISM = {JoinKind.DEBOUNCE: Mechanism.DEBOUNCE, JoinKind.BATCH: Mechanism.BATCH}
# Each lost race is somebody else's success: so many in a row are a crowd, which the queue spreads.
_MOST_RACES = 40
# Of a key without an open generation. A cell is never deleted by us, so that its versions do not begin anew.
_NONE = ""
_KEPT_MS = 15 * limits.DAY_MS


def join(s: Services, event: Event, planned: Start, record: EventRecord) -> None:
    """The event joins what its start says, once; then what follows from that."""
    how = planned.join
    assert how is not None
    joined = _join(s, event, planned, how)
    for run_id in joined.closed:
        s.queues.send_work(_due_message(run_id, planned.fn_id, how.kind, how.digest))
    if joined.opened and joined.run_id not in joined.closed:
        timing.schedule(s, _due_message(joined.run_id, planned.fn_id, how.kind, how.digest, joined.due_ms))
    if joined.overtaken is not None:
        _tell_overtaken(s, planned, record, joined)


def _due_message(run_id: str, fn_id: str, kind: JoinKind, digest: str, due_ms: int | None = None) -> JoinDueMessage:
    return JoinDueMessage(run_id=run_id, fn_id=fn_id, join=kind, digest=digest, due_ms=due_ms)


def _join(s: Services, event: Event, planned: Start, how: Join) -> Joined:
    arrival = Arrival(
        event_id=event.internal_id,
        ts=event.ts,
        size_bytes=events.measure(event.payload()),
        is_invocation=event.name == events.INVOKED,
        would_open=planned.run_id,
    )
    key = CellKey(_MECHANISM[how.kind], planned.fn_id, how.digest)
    seen = s.cells.get(key)
    for _ in range(_MOST_RACES):
        outcome = rule.join(_open(seen), how, arrival, s.clock.now_ms())
        stored = s.joins.join(
            key,
            event.internal_id,
            outcome.joined,
            _text(outcome.open),
            seen=seen,
            closed=[Closed(kind=how.kind, fn_id=planned.fn_id, generation=one) for one in outcome.closed],
            expires_at_s=(outcome.joined.due_ms + _KEPT_MS) // 1000,
        )
        if isinstance(stored, Joined):
            return stored
        seen = stored
    raise TransactionConflict(f"too many events join a {how.kind} of {planned.fn_id} at once")


def _open(cell: Cell | None) -> Generation | None:
    return None if cell is None or cell.text == _NONE else Generation.model_validate_json(cell.text)


def _text(generation: Generation | None) -> str:
    return _NONE if generation is None else generation.model_dump_json(exclude_defaults=True)


def _tell_overtaken(s: Services, planned: Start, record: EventRecord, joined: Joined) -> None:
    """A step waits for what an event starts of which the debounce makes nothing."""
    overtaken: EventRecord | None = record
    if joined.overtaken != record.event.internal_id:
        overtaken = s.events.get(joined.overtaken or "")
    if overtaken is not None and overtaken.invoker is not None:
        told = planned.model_copy(update={"skipped": overtaken_text(joined.run_id)})
        flow.refuse_invoker(s, told, overtaken.invoker, overtaken.processed_at_ms)


def overtaken_text(run_id: str) -> str:
    """Why a debounce made nothing of an event."""
    return f"the debounce has a later event, which starts run {run_id}"


def open_generation(s: Services, fn_id: str, how: Join) -> Generation | None:
    """What may still be joined."""
    return _open(s.cells.get(CellKey(_MECHANISM[how.kind], fn_id, how.digest)))


def come_due(s: Services, message: JoinDueMessage) -> None:
    """Create the run of a generation if it is due or closed. Returning acknowledges the message."""
    if timing.came_early(s, message):
        return
    with ids_logged(run_id=message.run_id, function_id=message.fn_id):
        closed = _closed(s, message)
        if closed is None:
            return
        _begin(s, closed)
        # Whoever finds it begins the run; only when it is there the row goes.
        s.joins.remove(message.run_id)


def _closed(s: Services, message: JoinDueMessage) -> Closed | None:
    """The generation, closed by now; None when it is not due, or its run is there."""
    key = CellKey(_MECHANISM[message.join], message.fn_id, message.digest)
    seen = s.cells.get(key)
    for _ in range(_MOST_RACES):
        generation = _open(seen)
        if seen is None or generation is None or generation.run_id != message.run_id:
            # In this order: it is not opened again.
            return s.joins.closed(message.run_id)
        now = s.clock.now_ms()
        if now < generation.due_ms:
            # Events have joined since the message was sent.
            timing.schedule(s, message.model_copy(update={"due_ms": generation.due_ms}))
            return None
        closed = Closed(kind=message.join, fn_id=message.fn_id, generation=generation)
        stored = s.joins.close(key, _NONE, closed, seen=seen, expires_at_s=(now + _KEPT_MS) // 1000)
        if isinstance(stored, Closed):
            return stored
        seen = stored
    raise TransactionConflict(f"too many events join a {message.join} of {message.fn_id} at once")


def _begin(s: Services, closed: Closed) -> None:
    generation = closed.generation
    records = s.events.get_many(generation.events)
    found = [(record, event) for record in records if (event := lifecycle.whole(s, record)) is not None]
    if len(found) < len(generation.events):
        # Only if a run whose end they told, or they themselves, were deleted meanwhile.
        logger.warning("events that joined are gone", extra={"count": len(generation.events) - len(found)})
    if not found:
        return
    record, first = found[0]
    gathered = Gathered(
        kind=closed.kind,
        count=generation.count,
        first_ms=generation.first_ms,
        tells_ends=any(event.name in events.LIFECYCLE for _, event in found),
    )
    planned = flow.pace(s, first, Start(fn_id=closed.fn_id, run_id=generation.run_id))
    start.begin(
        s,
        first,
        planned,
        None,
        invoker=record.invoker,
        cron=record.cron,
        gathered=gathered,
        rest=[event for _, event in found[1:]],
    )
