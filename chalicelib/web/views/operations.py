"""`/v1/pauses` and `/v1/backlog`."""

from __future__ import annotations

from typing import Any

from chalicelib.engine import backlog, query_pauses
from chalicelib.web.models import PausesQuery
from chalicelib.web.views.wrapping import wrap, wrap_page
from chalicelib.wiring import Platform


def pauses(p: Platform, params: PausesQuery) -> dict[str, Any]:
    """By `event` the index is searched, in no order of time: a page may have fewer rows than asked for, or none, and
    still a cursor. By `run_id` all that the run waits for is told at once."""
    looking = p.room.looking
    if params.run_id is not None:
        return wrap_page(p, query_pauses.of_run(p.services, looking, params.run_id, params.event))
    assert params.event is not None  # One of the two is.
    page = query_pauses.waiting_for(p.services, looking, params.event, limit=params.limit, cursor=params.cursor)
    return wrap_page(p, page)


def show_backlog(p: Platform) -> dict[str, Any]:
    """Made for people and dashboards, a look every few minutes; what must be watched is in the metrics."""
    return wrap(p, backlog.backlog(p.services, p.room.looking, p.room.ages))
