"""Something is done to many runs of a function: page by page, each by a message of its own.

A page is carried out, then how far it came is written, then the rest is sent on its way. What is carried out again
changes nothing more; whoever finds that the page was written down before sends the rest only if it is a redelivery, for
then the one that wrote it may have died in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chalicelib.core import ids
from chalicelib.core.bulk import LOOK_AGAIN_AFTER_MS, BulkJob, BulkProgress, BulkState, Place, Standing
from chalicelib.core.errors import NotFound
from chalicelib.core.messages import AnyEventMessage
from chalicelib.engine.operator_ports import Bulk
from chalicelib.engine.pages import Page, decode_cursor, encode_cursor, not_ours, run_id_at
from chalicelib.engine.services import Delivery, Services

_READ = 100
# A message reads so many pages of the list at most: there may be a million runs that ended long ago.
_READS = 10

Job = TypeVar("Job", bound=BulkJob)
Progress = TypeVar("Progress", bound=BulkProgress)
State = TypeVar("State", bound=BulkState[Any, Any])


@dataclass(frozen=True)
class Row:
    """A run of the page. `counts`: it is counted by this look, and by no other."""

    position: str
    standing: Standing
    counts: bool


@dataclass(frozen=True)
class Kind(Generic[Job, Progress, State]):
    """What is done. `fills`: whether there is work to do for a run: so much of it is a page. `carry_out` does the work
    and says by how much which counts of the progress grow."""

    store: Bulk[Job, Progress, State]
    message: Callable[[Job, Place], AnyEventMessage]
    fills: Callable[[Job, Standing], bool]
    carry_out: Callable[[Job, Sequence[Row]], Mapping[str, int]]
    noun: str


def create(s: Services, kind: Kind[Job, Progress, State], job: Job) -> State:
    """The message first, which carries all of it: dying in between leaves a job that is carried out."""
    s.queues.send_events([kind.message(job, Place())])
    return kind.store.put(job)


def find(kind: Kind[Job, Progress, State], job_id: str) -> State:
    """Raises NotFound."""
    state = kind.store.get(job_id) if ids.is_ulid(job_id) else None
    if state is None:
        raise NotFound(f"there is no {kind.noun} {job_id!r}")
    return state


def stop(s: Services, kind: Kind[Job, Progress, State], job_id: str) -> State:
    """No more is done. What was done stays so, and a job that is over stays as it is. Raises NotFound."""
    find(kind, job_id)
    state = kind.store.stop(job_id, s.clock.now_ms())
    if state is None:
        raise NotFound(f"there is no {kind.noun} {job_id!r}")
    return state


def listed(
    kind: Kind[Job, Progress, State], wire: Callable[[State], dict[str, Any]], *, limit: int, cursor: str | None
) -> Page:
    """Newest first. Raises InvalidQuery."""
    before = None if cursor is None else decode_cursor(cursor)
    if before is not None and not ids.is_ulid(before):
        raise not_ours()
    found = kind.store.page(before=before, limit=limit + 1)
    shown = found[:limit]
    following = encode_cursor(shown[-1].job.id) if len(found) > limit else None
    return Page([wire(state) for state in shown], following)


def go_on(
    s: Services, kind: Kind[Job, Progress, State], job: Job, place: Place, delivery: Delivery
) -> tuple[Progress, Mapping[str, int]] | None:
    """Carry out a page; what has come of the job by then, and of this page, if it was this delivery that wrote it down.
    Returning acknowledges the message."""
    state = kind.store.put(job)
    about: Job = state.job
    before: Progress = state.progress
    if state.is_over:
        return None
    if before.place != place:
        if delivery.receives > 1:
            _send(s, kind, about, before)
        return None
    rows, reached = _read(s, kind, about, place)
    counts = {"looked_at": sum(row.counts for row in rows), **kind.carry_out(about, rows)}
    following = _following(about, place, reached)
    now: Progress = before.model_copy(
        update={
            **{name: getattr(before, name) + count for name, count in counts.items()},
            "place": following,
            "ended_at_ms": s.clock.now_ms() if following is None else None,
        }
    )
    if not kind.store.advance(about.id, was=place, now=now, nonce=delivery.nonce):
        return None  # It was stopped, or another delivery has written the page down: the rest is its.
    _send(s, kind, about, now)
    return now, counts


def _send(s: Services, kind: Kind[Job, Progress, State], job: Job, progress: Progress) -> None:
    place = progress.place
    if place is None:
        return
    wait_ms = job.created_at_ms + LOOK_AGAIN_AFTER_MS - s.clock.now_ms() if place == Place(look=2) else 0
    s.queues.send_events([kind.message(job, place)], delay_s=max(0, -(-wait_ms // 1000)))


def _following(job: BulkJob, place: Place, reached: str | None) -> Place | None:
    if reached is not None:
        return Place(look=place.look, position=reached)
    return Place(look=2) if place.look == 1 and job.looks_again else None


def _read(s: Services, kind: Kind[Job, Progress, State], job: Job, place: Place) -> tuple[list[Row], str | None]:
    """The page's runs, and where the next page begins, if there is one."""
    rows: list[Row] = []
    fresh = _position(job.fresh_from_ms)
    oldest = _position(job.started_after_ms if place.look == 1 else max(job.started_after_ms, job.fresh_from_ms))
    before = place.position or _position(job.started_before_ms)
    filled = 0
    for _ in range(_READS):
        found = s.runs.page(job.fn_id, before=before, limit=_READ)
        recent = [position for position in found if position >= oldest]
        standings = {row.run_id: row for row in kind.store.standings([run_id_at(one) for one in recent])}
        for position in recent:
            before = position
            standing = standings.get(run_id_at(position))
            if standing is None:
                continue
            # Once each: fresh ones in the second look, which sees all of them.
            rows.append(Row(position, standing, counts=place.look == 2 or position < fresh))
            filled += kind.fills(job, standing)
            if filled >= s.settings.match_page:
                return rows, position
        if len(recent) < _READ:
            return rows, None
    return rows, before


def _position(ms: int) -> str:
    return f"{ms:015d}"
