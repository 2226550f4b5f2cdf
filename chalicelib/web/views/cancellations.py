"""`/v1/cancellations`."""

from __future__ import annotations

from typing import Any

from chalicelib.engine import cancellations
from chalicelib.web.models import CancellationRequest, PageQuery
from chalicelib.web.views.wrapping import wrap, wrap_page
from chalicelib.wiring import Platform


def create(p: Platform, body: CancellationRequest) -> dict[str, Any]:
    """Answers at once; the runs are cancelled page by page afterwards. Runs that are started later are not met."""
    state = cancellations.create(
        p.services,
        app_id=body.app_id,
        function_id=body.function_id,
        started_after_ms=body.started_after,
        started_before_ms=body.started_before,
        if_exp=body.if_,
    )
    return wrap(p, state.wire())


def show_all(p: Platform, params: PageQuery) -> dict[str, Any]:
    return wrap_page(p, cancellations.listed(p.services, limit=params.limit, cursor=params.cursor))


def show(p: Platform, cancellation_id: str) -> dict[str, Any]:
    return wrap(p, cancellations.find(p.services, cancellation_id).wire())


def stop(p: Platform, cancellation_id: str) -> dict[str, Any]:
    """No more runs are cancelled; those that were stay so."""
    return wrap(p, cancellations.stop(p.services, cancellation_id).wire())
