"""Cancelling many runs at once: page by page, each by a message of its own.

A page is carried out, then how far it came is written, then the rest is sent on its way. What is carried out again
changes nothing more; whoever finds that the page was written down before sends the rest only if it is a redelivery, for
then the one that wrote it may have died in between.
"""

from __future__ import annotations

from functools import partial

from chalicelib.core import ids
from chalicelib.core.calls import ErrorInfo
from chalicelib.core.cancellations import (
    CAUSE_NAME,
    LOOK_AGAIN_AFTER_MS,
    Cancellation,
    CancellationState,
    Place,
    Progress,
    Standing,
)
from chalicelib.core.errors import InvalidExpression, NotFound, UserError
from chalicelib.core.expressions import compile_expression
from chalicelib.core.functions import FunctionConfig
from chalicelib.core.matching import trigger_matches
from chalicelib.core.messages import CancellationMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.runs import Ending, RunStatus
from chalicelib.core.steps import Cause, CauseKind
from chalicelib.engine import settle
from chalicelib.engine.pages import Page, decode_cursor, encode_cursor, not_ours
from chalicelib.engine.services import Delivery, Services, logger
from chalicelib.engine.side_by_side import side_by_side, try_all

_READ = 100
# A message reads so many pages of the list at most: there may be a million runs that ended long ago.
_READS = 10
_TOP = "9" * 15


class InvalidCancellation(UserError):
    """A bulk cancellation that cannot be created; the message names the field."""


def create(
    s: Services,
    *,
    app_id: str,
    function_id: str,
    started_after_ms: int | None,
    started_before_ms: int,
    if_exp: str | None,
) -> CancellationState:
    """Have matching runs cancelled. Raises InvalidCancellation, and NotFound for a function that nobody knows."""
    now = s.clock.now_ms()
    if started_before_ms > now:
        raise InvalidCancellation("started_before must not lie in the future: what will be started is not cancelled")
    if started_after_ms is not None and started_after_ms >= started_before_ms:
        raise InvalidCancellation("started_after must lie before started_before")
    if if_exp is not None:
        try:
            compile_expression(if_exp, roots=frozenset({"event"}))
        except InvalidExpression as error:
            raise InvalidCancellation(f"if: the expression cannot be used: {error}") from None
    cancellation = Cancellation(
        id=ids.ulid(now, s.chance.entropy()),
        fn_id=_function(s, app_id, function_id),
        app_id=app_id or None,
        created_at_ms=now,
        started_after_ms=started_after_ms or 0,
        started_before_ms=started_before_ms,
        if_exp=if_exp,
    )
    # The message first, which carries all of it: dying in between leaves a cancellation that is carried out.
    s.queues.send_events([CancellationMessage(cancellation=cancellation)])
    state = s.cancellations.put(cancellation)
    logger.info(
        "bulk cancellation created", extra={"cancellation_id": cancellation.id, "function_id": cancellation.fn_id}
    )
    return state


def _function(s: Services, app_id: str, function_id: str) -> str:
    """The id that the function's runs have: that of an app's function begins with the app's."""
    named = [f"{app_id}-{function_id}", function_id] if app_id else [function_id]
    for fn_id in named:
        config = s.catalog.get(fn_id)
        if config is not None and _is_of(config, app_id):
            return fn_id
    # A function that was taken away may have runs that are still open.
    for fn_id in named[:1]:
        if s.runs.page(fn_id, before=_TOP, limit=1):
            return fn_id
    of = f" of the app {app_id!r}" if app_id else ""
    raise NotFound(f"there is no function {function_id!r}{of}, and there are no runs of it")


def _is_of(config: FunctionConfig, app_id: str) -> bool:
    return not app_id or config.app_id in (None, app_id)


def find(s: Services, cancellation_id: str) -> CancellationState:
    """Raises NotFound."""
    state = s.cancellations.get(cancellation_id) if ids.is_ulid(cancellation_id) else None
    if state is None:
        raise NotFound(f"there is no cancellation {cancellation_id!r}")
    return state


def stop(s: Services, cancellation_id: str) -> CancellationState:
    """Cancel no more runs. What was cancelled stays so, and one that is over stays as it is. Raises NotFound."""
    find(s, cancellation_id)
    state = s.cancellations.stop(cancellation_id, s.clock.now_ms())
    if state is None:
        raise NotFound(f"there is no cancellation {cancellation_id!r}")
    return state


def listed(s: Services, *, limit: int, cursor: str | None) -> Page:
    """Newest first. Raises InvalidQuery."""
    before = None if cursor is None else decode_cursor(cursor)
    if before is not None and not ids.is_ulid(before):
        raise not_ours()
    found = s.cancellations.page(before=before, limit=limit + 1)
    shown = found[:limit]
    following = encode_cursor(shown[-1].cancellation.id) if len(found) > limit else None
    return Page([state.wire() for state in shown], following)


def go_on(s: Services, message: CancellationMessage, delivery: Delivery) -> None:
    """Carry out a page. Returning acknowledges the message."""
    state = s.cancellations.put(message.cancellation)
    about = state.cancellation
    if state.is_over:
        return
    if state.progress.place != message.place:
        if delivery.receives > 1:
            _send(s, state)
        return
    _PageOf(s, about, message.place).carry_out(state.progress, delivery.nonce)


def _send(s: Services, state: CancellationState) -> None:
    place = state.progress.place
    if place is None:
        return
    wait_ms = 0
    if place == Place(look=2):
        wait_ms = state.cancellation.created_at_ms + LOOK_AGAIN_AFTER_MS - s.clock.now_ms()
    message = CancellationMessage(cancellation=state.cancellation, place=place)
    s.queues.send_events([message], delay_s=max(0, -(-wait_ms // 1000)))


class _PageOf:
    """One page of a cancellation's runs."""

    def __init__(self, s: Services, about: Cancellation, place: Place) -> None:
        self._s = s
        self._about = about
        self._place = place
        self._oldest = about.started_after_ms if place.look == 1 else max(about.started_after_ms, about.fresh_from_ms)
        # Why the condition could not be tested, of each event; told by several threads.
        self._errors: list[str] = []

    def carry_out(self, before: Progress, nonce: str) -> None:
        rows, reached = self._read()
        mine = self._end(rows)
        counted = [row for row in rows if self._is_counted(row[0])]
        place = None if reached is None and not self._has_more_looks() else self._next(reached)
        now = Progress(
            place=place,
            looked_at=before.looked_at + len(counted),
            cancelled=before.cancelled + sum(row[1].run_id in mine for row in counted),
            errors=before.errors + len(self._errors),
            ended_at_ms=self._s.clock.now_ms() if place is None else None,
        )
        if not self._s.cancellations.advance(self._about.id, was=self._place, now=now, nonce=nonce):
            return  # It was stopped, or another delivery has written the page down: the rest is its.
        self._s.metrics.count(Metric.EXPRESSION_ERRORS, len(self._errors))
        extra = {"cancellation_id": self._about.id, "function_id": self._about.fn_id, "cancelled": len(mine)}
        logger.info("bulk cancellation" if place is not None else "bulk cancellation ended", extra=extra)
        _send(self._s, CancellationState(self._about, now))

    def _has_more_looks(self) -> bool:
        return self._place.look == 1 and self._about.looks_again

    def _next(self, reached: str | None) -> Place:
        return Place(look=2) if reached is None else Place(look=self._place.look, position=reached)

    def _is_counted(self, position: str) -> bool:
        """Once each: fresh ones in the second look, which sees all of them."""
        return self._place.look == 2 or position < _position(self._about.fresh_from_ms)

    def _read(self) -> tuple[list[tuple[str, Standing]], str | None]:
        """Runs with their positions, and where the next page begins, if there is one."""
        rows: list[tuple[str, Standing]] = []
        before = self._place.position or _position(self._about.started_before_ms)
        to_end, oldest = 0, _position(self._oldest)
        for _ in range(_READS):
            found = self._s.runs.page(self._about.fn_id, before=before, limit=_READ)
            recent = [position for position in found if position >= oldest]
            standings = {row.run_id: row for row in self._s.cancellations.standings([_run_id(one) for one in recent])}
            for position in recent:
                before = position
                standing = standings.get(_run_id(position))
                if standing is None:
                    continue
                rows.append((position, standing))
                to_end += standing.is_open
                if to_end >= self._s.settings.match_page:
                    return rows, position
            if len(recent) < _READ:
                return rows, None
        return rows, before

    def _end(self, rows: list[tuple[str, Standing]]) -> set[str]:
        """End the runs that match, and settle them; those that this cancellation has ended, now or before."""
        open_ids = [row.run_id for _, row in rows if row.is_open]
        before = [row for _, row in rows if row.cancelled_by == self._about.id]
        ended = side_by_side(self._end_run, open_ids, self._s.settings.match_threads)
        mine = [run_id for run_id, is_mine in zip(open_ids, ended, strict=True) if is_mine]
        unsettled = [*mine, *(row.run_id for row in before if not row.is_settled)]
        # One after the other: each is read as a whole. What keeps one from being settled keeps none of the others.
        try_all(*(partial(settle.settle, self._s, run_id) for run_id in unsettled))
        return {*mine, *(row.run_id for row in before)}

    def _end_run(self, run_id: str) -> bool:
        if not self._matches(run_id):
            return False
        ending = Ending(
            status=RunStatus.CANCELLED,
            ended_at_ms=self._s.clock.now_ms(),
            error=ErrorInfo(name="FunctionCancelled", message="cancelled in bulk by the API"),
            cause=Cause(kind=CauseKind.API, id=self._about.id, name=CAUSE_NAME),
        )
        head = self._s.runs.end(run_id, ending, owner=None)
        cause = None if head is None or head.ending is None else head.ending.cause
        return cause is not None and cause.id == self._about.id

    def _matches(self, run_id: str) -> bool:
        if self._about.if_exp is None:
            return True
        event = self._s.runs.trigger_event(run_id)
        if event is None:
            return False
        matched, error = trigger_matches(self._about.if_exp, event.payload())
        if error is not None:
            self._errors.append(error)
        return matched


def _position(ms: int) -> str:
    return f"{ms:015d}"


def _run_id(position: str) -> str:
    return position.split("#", 1)[1]
