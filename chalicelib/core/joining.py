"""Events that share a run: of those that follow each other closely the newest starts one (debounce), or as many as fit
start one together (batch). A generation is what becomes one run; it is open until it is due or full."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from chalicelib.core import limits
from chalicelib.core.stored import Stored


class JoinKind(StrEnum):
    """Persisted, in records and messages."""

    DEBOUNCE = "debounce"
    BATCH = "batch"


class Join(BaseModel):
    """What an event joins instead of starting a run, as its function was configured then: `digest` is that of the
    key's value and `key` shows it. `period_ms`: after how much quiet a debounce is due, or how long after its first
    event a batch is; `longest_ms`: how long after its first event a debounce is due at the latest."""

    model_config = ConfigDict(frozen=True)

    kind: JoinKind
    digest: str
    key: str | None = None
    period_ms: int
    longest_ms: int | None = None
    max_size: int = 0


class Generation(Stored):
    """Events that become one run. `events` are the ids of those that it gets: of a debounce the newest one alone, by
    `ts`; `count` is how many there were. `invoked`: a step waits for what that newest one starts."""

    run_id: str
    first_ms: int
    due_ms: int
    events: tuple[str, ...]
    count: int = 1
    size_bytes: int = 0
    ts: int = 0
    invoked: bool = False


class Closed(BaseModel):
    """A generation that nothing joins any more, until its run is there."""

    model_config = ConfigDict(frozen=True)

    kind: JoinKind
    fn_id: str
    generation: Generation


class Joined(BaseModel):
    """That an event has joined the generation of a run, and what has to follow, however often its message comes: it
    `opened` the generation, `closed` others; a step that invoked the function by the event
    `overtaken` waits in vain."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    at_ms: int
    due_ms: int
    opened: bool = False
    closed: tuple[str, ...] = ()
    overtaken: str | None = None


class Gathered(BaseModel):
    """How a run came about that is not of one event alone. `tells_ends`: among its events is one that tells the end
    of a run."""

    model_config = ConfigDict(frozen=True)

    kind: JoinKind
    count: int
    first_ms: int
    tells_ends: bool = False


@dataclass(frozen=True)
class Arrival:
    """An event that joins. `would_open`: the id of the run if it opens a generation."""

    event_id: str
    ts: int
    size_bytes: int
    is_invocation: bool
    would_open: str


@dataclass(frozen=True)
class Outcome:
    """What follows from it: the generation that is open afterwards, and those that are closed."""

    open: Generation | None
    joined: Joined
    closed: tuple[Generation, ...] = ()


def join(known: Generation | None, how: Join, arrival: Arrival, now_ms: int) -> Outcome:
    """An event joins the open generation, if there is one with room that is not due; else it opens one."""
    closed: list[Generation] = []
    if known is not None and (now_ms >= known.due_ms or not _has_room(known, how, arrival)):
        closed.append(known)
        known = None
    if known is None:
        after, overtaken = _opened(how, arrival, now_ms), None
    elif how.kind is JoinKind.DEBOUNCE:
        after, overtaken = _debounced(known, how, arrival, now_ms)
    else:
        size = known.size_bytes + arrival.size_bytes
        events = (*known.events, arrival.event_id)
        after = known.model_copy(update={"events": events, "count": len(events), "size_bytes": size})
        overtaken = None
    is_full = how.kind is JoinKind.BATCH and after.count >= how.max_size
    if is_full:
        closed.append(after)
    joined = Joined(
        run_id=after.run_id,
        at_ms=now_ms,
        due_ms=after.due_ms,
        opened=after.run_id == arrival.would_open,
        closed=tuple(one.run_id for one in closed),
        overtaken=overtaken,
    )
    return Outcome(None if is_full else after, joined, tuple(closed))


def _has_room(known: Generation, how: Join, arrival: Arrival) -> bool:
    """A batch may have become too large for a new configuration, too."""
    if how.kind is JoinKind.DEBOUNCE:
        return True
    return known.count < how.max_size and known.size_bytes + arrival.size_bytes <= limits.MAX_BATCH_BYTES


def _opened(how: Join, arrival: Arrival, now_ms: int) -> Generation:
    return Generation(
        run_id=arrival.would_open,
        first_ms=now_ms,
        due_ms=_due_ms(how, now_ms, now_ms),
        events=(arrival.event_id,),
        size_bytes=arrival.size_bytes,
        ts=arrival.ts,
        invoked=arrival.is_invocation,
    )


def _debounced(known: Generation, how: Join, arrival: Arrival, now_ms: int) -> tuple[Generation, str | None]:
    """Also the event that was overtaken and that a step waits for."""
    # Clocks differ: what is due later for one process stays so.
    due_ms = max(known.due_ms, _due_ms(how, known.first_ms, now_ms))
    if how.longest_ms is not None:
        due_ms = min(due_ms, known.first_ms + how.longest_ms)
    after = known.model_copy(update={"due_ms": due_ms, "count": known.count + 1})
    # In whatever order their messages come: the ids decide where the senders' times do not.
    if (arrival.ts, arrival.event_id) < (known.ts, known.events[0]):
        return after, arrival.event_id if arrival.is_invocation else None
    newest = {"events": (arrival.event_id,), "ts": arrival.ts, "invoked": arrival.is_invocation}
    return after.model_copy(update=newest), known.events[0] if known.invoked else None


def _due_ms(how: Join, first_ms: int, now_ms: int) -> int:
    due_ms = now_ms + how.period_ms
    return due_ms if how.longest_ms is None else min(due_ms, first_ms + how.longest_ms)
