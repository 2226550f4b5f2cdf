"""`/v1/functions`."""

from __future__ import annotations

from typing import Any

from chalicelib.engine import pausing, query_functions, query_lines
from chalicelib.web.models import FunctionPauseRequest
from chalicelib.web.models.parameters import PageQuery
from chalicelib.web.views.wrapping import wrap, wrap_page
from chalicelib.wiring import Platform


def show_all(p: Platform) -> dict[str, Any]:
    return wrap(p, query_functions.functions(p.services))


def show(p: Platform, function_id: str) -> dict[str, Any]:
    return wrap(p, query_functions.function(p.services, function_id))


def pause(p: Platform, function_id: str, body: FunctionPauseRequest) -> dict[str, Any]:
    """Holds for all events that are sent after the answer; ten seconds later no turn begins any more of the runs that
    are under way. Paused again in the other mode, it is paused so from now on."""
    pausing.pause(p.services, p.room.apps, function_id, body.mode)
    return show(p, function_id)


def resume(p: Platform, function_id: str) -> dict[str, Any]:
    """Answers at once; the runs that wait are woken in order, page by page, afterwards. What is not paused stays as it
    is."""
    pausing.resume(p.services, p.room.apps, function_id)
    return show(p, function_id)


def queue(p: Platform, function_id: str, params: PageQuery) -> dict[str, Any]:
    page = query_lines.queue(p.services, function_id, limit=params.limit, cursor=params.cursor)
    return wrap_page(p, page)
