"""The HTTP API: the table of routes as chalice knows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chalice.app import Blueprint, CORSConfig

from chalicelib import config
from chalicelib.web.dispatch import dispatch
from chalicelib.web.gate import Gate
from chalicelib.web.table import ROUTES, Route

_CONTENT_TYPES = ["application/json", "application/x-www-form-urlencoded", "text/plain"]
# Seconds for which a browser may remember that it may call.
_PREFLIGHT_KEPT_S = 600

api = Blueprint(__name__)


def _view(route: Route) -> Callable[..., Any]:
    def view(**captured: str) -> Any:
        return dispatch(route, api.current_request, captured)

    view.__name__ = route.view.replace(".", "_")
    return view


def _register(origin: str | None) -> None:
    cors = False if origin is None else CORSConfig(allow_origin=origin, max_age=_PREFLIGHT_KEPT_S)
    for route in ROUTES:
        content_types = [] if route.method == "GET" or route.takes_any_type else _CONTENT_TYPES
        api.route(route.path, methods=[route.method], content_types=content_types, cors=cors)(_view(route))
    api.register_middleware(Gate(ROUTES, origin), "http")


_register(config.cors_origin())
