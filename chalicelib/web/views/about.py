"""`/`, `/health`, `/openapi.json`."""

from __future__ import annotations

from typing import Any

from chalicelib.core.errors import NotFound
from chalicelib.web.table import ROUTES
from chalicelib.wiring import Platform


def index(_p: Platform) -> dict[str, Any]:
    return {"service": "stepwell", "routes": {route.name: route.summary for route in ROUTES}}


def health(p: Platform) -> dict[str, Any]:
    """Alive, and able to read its tables."""
    p.services.timers.get_mark("health")
    return {"status": "ok", "stage": p.config.stage, "functions": len(p.services.catalog.configs())}


def dev(p: Platform) -> dict[str, Any]:
    """Some SDKs take whatever answers here for a development server, so a deployed one is not to be found."""
    if not p.config.dev:
        raise NotFound("this is no development server")
    p.services.catalog.catch_up(p.clock.now_ms())
    return {"service": "stepwell", "kind": "dev", "functions": [config.id for config in p.services.catalog.configs()]}


def openapi(_p: Platform) -> dict[str, Any]:
    from chalicelib.web.openapi import document

    return document()
