"""`/e/{key}` and `/v1/events`."""

from __future__ import annotations

from typing import Any

from chalice.app import Request, Response

from chalicelib.engine import near_misses, query
from chalicelib.web.ingest import accept_events
from chalicelib.web.models import EffectsQuery, EventsQuery
from chalicelib.web.views.wrapping import wrap, wrap_page
from chalicelib.wiring import Platform


def send(p: Platform, key: str, request: Request) -> Response:
    """With the header `x-inngest-event-id-seed: <milliseconds>,<base64 of 10 bytes>`, a request that is sent again
    yields the same ids, and its events happen once."""
    headers = request.headers
    content_type = headers.get("content-type", "application/json")
    return accept_events(p, key, request.raw_body, content_type, headers.get("x-inngest-event-id-seed"))


def show_all(p: Platform, params: EventsQuery) -> dict[str, Any]:
    page = query.events_page(
        p.services,
        name=params.name,
        after_ms=params.received_after,
        before_ms=params.received_before,
        limit=params.limit,
        cursor=params.cursor,
    )
    return wrap_page(p, page)


def show(p: Platform, params: EffectsQuery, event_id: str) -> dict[str, Any]:
    shown, following = query.event(p.services, event_id, limit=params.limit, cursor=params.cursor)
    # Further pages are of what it resumed and cancelled.
    missed = None if params.cursor else near_misses.near_misses(p.services, p.room.looking, event_id)
    shown["nearly_met"] = missed
    return wrap(p, shown, **({} if following is None else {"cursor": following}))


def runs(p: Platform, event_id: str) -> dict[str, Any]:
    return wrap(p, query.event_runs(p.services, event_id))
