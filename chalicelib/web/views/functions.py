"""`/v1/functions`."""

from __future__ import annotations

from typing import Any

from chalicelib.engine import query_functions
from chalicelib.web.views.wrapping import wrap
from chalicelib.wiring import Platform


def show_all(p: Platform) -> dict[str, Any]:
    return wrap(p, query_functions.functions(p.services))


def show(p: Platform, function_id: str) -> dict[str, Any]:
    return wrap(p, query_functions.function(p.services, function_id))
