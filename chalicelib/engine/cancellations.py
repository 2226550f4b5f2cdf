"""Cancelling many runs at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from chalicelib.core import ids
from chalicelib.core.calls import ErrorInfo
from chalicelib.core.cancellations import CAUSE_NAME, Cancellation, CancellationState, Progress
from chalicelib.core.errors import InvalidExpression, NotFound, UserError
from chalicelib.core.expressions import compile_expression
from chalicelib.core.functions import FunctionConfig
from chalicelib.core.matching import trigger_matches
from chalicelib.core.messages import CancellationMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.runs import Ending, RunStatus
from chalicelib.core.steps import Cause, CauseKind
from chalicelib.engine import bulk, settle
from chalicelib.engine.pages import NEWEST, Page
from chalicelib.engine.services import Delivery, Services, logger
from chalicelib.engine.side_by_side import side_by_side, try_all


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
    state = bulk.create(s, _kind(s), cancellation)
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
        if s.runs.page(fn_id, before=NEWEST, limit=1):
            return fn_id
    of = f" of the app {app_id!r}" if app_id else ""
    raise NotFound(f"there is no function {function_id!r}{of}, and there are no runs of it")


def _is_of(config: FunctionConfig, app_id: str) -> bool:
    return not app_id or config.app_id in (None, app_id)


def _kind(s: Services) -> bulk.Kind[Cancellation, Progress, CancellationState]:
    return bulk.Kind(
        store=s.cancellations,
        message=lambda job, place: CancellationMessage(cancellation=job, place=place),
        fills=lambda _, standing: standing.is_open,
        carry_out=lambda job, rows: _PageOf(s, job).carry_out(rows),
        noun="cancellation",
    )


def find(s: Services, cancellation_id: str) -> CancellationState:
    """Raises NotFound."""
    return bulk.find(_kind(s), cancellation_id)


def stop(s: Services, cancellation_id: str) -> CancellationState:
    """Cancel no more runs. What was cancelled stays so, and one that is over stays as it is. Raises NotFound."""
    return bulk.stop(s, _kind(s), cancellation_id)


def listed(s: Services, *, limit: int, cursor: str | None) -> Page:
    """Newest first. Raises InvalidQuery."""
    return bulk.listed(_kind(s), CancellationState.wire, limit=limit, cursor=cursor)


def go_on(s: Services, message: CancellationMessage, delivery: Delivery) -> None:
    """Carry out a page. Returning acknowledges the message."""
    about = message.cancellation
    done = bulk.go_on(s, _kind(s), about, message.place, delivery)
    if done is not None:
        now, counts = done
        s.metrics.count(Metric.EXPRESSION_ERRORS, counts["errors"])
        extra = {"cancellation_id": about.id, "function_id": about.fn_id, "cancelled": counts["cancelled"]}
        logger.info("bulk cancellation" if now.place is not None else "bulk cancellation ended", extra=extra)


class _PageOf:
    """One page of a cancellation's runs."""

    def __init__(self, s: Services, about: Cancellation) -> None:
        self._s = s
        self._about = about
        # Why the condition could not be tested, of each event; told by several threads.
        self._errors: list[str] = []

    def carry_out(self, rows: Sequence[bulk.Row]) -> Mapping[str, int]:
        mine = self._end(rows)
        cancelled = sum(row.counts and row.standing.run_id in mine for row in rows)
        return {"cancelled": cancelled, "errors": len(self._errors)}

    def _end(self, rows: Sequence[bulk.Row]) -> set[str]:
        """End the runs that match, and settle them; those that this cancellation has ended, now or before."""
        open_ids = [row.standing.run_id for row in rows if row.standing.is_open]
        before = [row.standing for row in rows if row.standing.cancelled_by == self._about.id]
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
