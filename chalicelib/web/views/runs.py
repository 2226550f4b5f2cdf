"""`/v1/runs`."""

from __future__ import annotations

from typing import Any

from chalicelib.core.jobs import jobs as queued
from chalicelib.engine import query
from chalicelib.web.models import RunsQuery
from chalicelib.web.views.wrapping import wrap, wrap_page
from chalicelib.wiring import Platform


def show_all(p: Platform, params: RunsQuery) -> dict[str, Any]:
    page = query.runs_page(
        p.services,
        fn_id=params.function_id,
        status=params.status,
        after_ms=params.started_after,
        before_ms=params.started_before,
        limit=params.limit,
        cursor=params.cursor,
    )
    return wrap_page(p, page)


def show(p: Platform, run_id: str) -> dict[str, Any]:
    return wrap(p, query.load_run(p.services, run_id).wire())


def cancel(p: Platform, run_id: str) -> dict[str, Any]:
    return wrap(p, query.cancel_run(p.services, run_id).wire())


def timeline(p: Platform, run_id: str) -> dict[str, Any]:
    return wrap(p, query.run_timeline(p.services, run_id))


def jobs(p: Platform, run_id: str) -> dict[str, Any]:
    """Told from what the run waits for, in the order of time; a run that has ended has none."""
    return wrap(p, queued(query.load_run(p.services, run_id)))
