"""`/v1/functions`."""

from __future__ import annotations

from typing import Any

from chalicelib.engine import query_functions, query_lines
from chalicelib.web.models.parameters import PageQuery
from chalicelib.web.views.wrapping import wrap, wrap_page
from chalicelib.wiring import Platform


def show_all(p: Platform) -> dict[str, Any]:
    return wrap(p, query_functions.functions(p.services))


def show(p: Platform, function_id: str) -> dict[str, Any]:
    return wrap(p, query_functions.function(p.services, function_id))


def queue(p: Platform, function_id: str, params: PageQuery) -> dict[str, Any]:
    page = query_lines.queue(p.services, function_id, limit=params.limit, cursor=params.cursor)
    return wrap_page(p, page)
