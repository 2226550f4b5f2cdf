"""The HTTP API. Shapes follow the SDK protocol: lists are `{data, metadata}`, errors `{error, status}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from chalice.app import Blueprint, Response

from chalicelib.core.clock import to_iso
from chalicelib.core.runs import RunStatus
from chalicelib.engine import query
from chalicelib.web.errors import answered
from chalicelib.web.ingest import accept_events
from chalicelib.web.params import Params

if TYPE_CHECKING:
    from chalicelib.wiring import Platform

api = Blueprint(__name__)

_CONTENT_TYPES = ["application/json", "application/x-www-form-urlencoded", "text/plain"]
_FOREVER_MS = 32_503_680_000_000

ROUTES = {
    "POST /e/{key}": "send one event, or a list of events",
    "GET /v1/events": "events, newest first (name, received_after, received_before, limit, cursor)",
    "GET /v1/events/{id}": "one event, with what it started, resumed and cancelled",
    "GET /v1/events/{id}/runs": "the runs that an event started",
    "GET /v1/runs": "runs, newest first (function_id, status, started_after, started_before, limit, cursor)",
    "GET /v1/runs/{id}": "one run",
    "GET /v1/runs/{id}/timeline": "every attempt, wait, resume and cancellation of a run",
    "DELETE /v1/runs/{id}": "cancel a run",
    "GET /health": "whether the service is there",
}


def platform() -> Platform:
    """This process's platform. Imported late: loading the app costs nothing of AWS."""
    from chalicelib import wiring

    return wiring.platform()


def _request() -> Any:
    return api.current_request


def _wrap(data: Any, p: Platform, **more: Any) -> dict[str, Any]:
    return {"data": data, "metadata": {"fetched_at": to_iso(p.clock.now_ms()), **more}}


def _page(page: query.Page, p: Platform) -> dict[str, Any]:
    return _wrap(page.rows, p, **({} if page.cursor is None else {"cursor": page.cursor}))


@api.route("/")
@answered
def index() -> dict[str, Any]:
    """What there is."""
    return {"service": "stepwell", "routes": ROUTES}


@api.route("/health")
@answered
def health() -> dict[str, Any]:
    """Alive, and able to read its tables."""
    p = platform()
    p.services.timers.get_mark("health")
    return {"status": "ok", "stage": p.config.stage, "functions": len(p.services.catalog.configs())}


@api.route("/e/{key}", methods=["POST"], content_types=_CONTENT_TYPES)
@answered
def send_events(key: str) -> Response:
    """Accept events."""
    request = _request()
    content_type = request.headers.get("content-type", "application/json")
    return accept_events(platform(), unquote(key), request.raw_body, content_type)


@api.route("/v1/events")
@answered
def list_events() -> dict[str, Any]:
    p = platform()
    params = Params(_request().query_params, ("name", "received_after", "received_before", "limit", "cursor"))
    page = query.events_page(
        p.services,
        name=params.text("name"),
        after_ms=params.time_ms("received_after", 0),
        before_ms=params.time_ms("received_before", _FOREVER_MS),
        limit=params.limit(),
        cursor=params.text("cursor"),
    )
    return _page(page, p)


@api.route("/v1/events/{event_id}")
@answered
def get_event(event_id: str) -> dict[str, Any]:
    p = platform()
    return _wrap(query.event(p.services, unquote(event_id)), p)


@api.route("/v1/events/{event_id}/runs")
@answered
def list_event_runs(event_id: str) -> dict[str, Any]:
    p = platform()
    return _wrap(query.event_runs(p.services, unquote(event_id)), p)


@api.route("/v1/runs")
@answered
def list_runs() -> dict[str, Any]:
    p = platform()
    known = ("function_id", "status", "started_after", "started_before", "limit", "cursor")
    params = Params(_request().query_params, known)
    status: RunStatus | None = params.status()
    page = query.runs_page(
        p.services,
        fn_id=params.text("function_id"),
        status=status,
        after_ms=params.time_ms("started_after", 0),
        before_ms=params.time_ms("started_before", _FOREVER_MS),
        limit=params.limit(),
        cursor=params.text("cursor"),
    )
    return _page(page, p)


@api.route("/v1/runs/{run_id}")
@answered
def get_run(run_id: str) -> dict[str, Any]:
    p = platform()
    return _wrap(query.load_run(p.services, unquote(run_id)).head.wire(), p)


@api.route("/v1/runs/{run_id}", methods=["DELETE"])
@answered
def cancel_run(run_id: str) -> dict[str, Any]:
    p = platform()
    return _wrap(query.cancel_run(p.services, unquote(run_id)).wire(), p)


@api.route("/v1/runs/{run_id}/timeline")
@answered
def get_timeline(run_id: str) -> dict[str, Any]:
    p = platform()
    return _wrap(query.run_timeline(p.services, unquote(run_id)), p)
