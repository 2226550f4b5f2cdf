"""`/fn/register` and `/v1/apps`."""

from __future__ import annotations

from typing import Any

from chalice.app import Request, Response
from pydantic import ValidationError

from chalicelib.core import registrations
from chalicelib.core.apps import InvalidApp
from chalicelib.core.errors import UserError
from chalicelib.engine import app_sync, apps
from chalicelib.web.errors import problem, shortened
from chalicelib.web.ingest import MAX_BODY_BYTES, parse_body
from chalicelib.web.models import AppAddress
from chalicelib.web.views.wrapping import wrap
from chalicelib.wiring import Platform

_KIND = "X-Inngest-Server-Kind"
_EXPECTED_KIND = "x-inngest-expected-server-kind"


def register(p: Platform, request: Request) -> Response:
    """SDKs send this when their app is asked to sync. The query's `deployId` is theirs to tell syncs apart, and means
    nothing here. The app is replaced as a whole; its functions that are not among those sent are retired."""
    headers = {_KIND: p.server_kind}
    try:
        apps.check_kind(p.server_kind, request.headers.get(_EXPECTED_KIND))
        incoming = registrations.read(_json(request), p.reach)
        synced = apps.register(p.services, p.room.apps, incoming)
    except UserError as error:
        words = shortened(str(error))
        return problem(400, words, headers=headers, ok=False, modified=False, message=words)
    body = {"ok": True, "modified": synced.modified, "status": 200, "message": _message(synced)}
    return Response(body=body, status_code=200, headers=headers)


def _message(synced: apps.Synced) -> str:
    if not synced.modified:
        return "nothing has changed"
    warnings = "; ".join(synced.app.warnings)
    return f"{len(synced.app.functions)} functions synced" + (f"; {warnings}" if warnings else "")


def sync(p: Platform, request: Request) -> dict[str, Any]:
    """The app's address is asked with a signed request, and the app answers with its functions. An app that cannot do
    so, or is in development, registers itself while it is asked."""
    try:
        address = AppAddress.model_validate(_json(request))
    except ValidationError:
        raise InvalidApp('the body must be {"url": "https://…"}, the address where the app serves its SDK') from None
    asker = app_sync.Asker(p.app_caller(), p.server_kind, p.reach)
    done = app_sync.sync(p.services, p.room.apps, asker, address.url)
    app = None if done.app is None else done.app.wire()
    return wrap(p, {"kind": done.kind, "modified": done.modified, "app": app})


def _json(request: Request) -> object:
    raw = request.raw_body
    if len(raw) > MAX_BODY_BYTES:
        raise InvalidApp(f"the body has {len(raw):,} bytes; at most {MAX_BODY_BYTES:,} are allowed")
    return parse_body(raw, "application/json")


def show_all(p: Platform) -> dict[str, Any]:
    return wrap(p, [app.wire() for app in apps.show_all(p.room.apps)])


def show(p: Platform, app_id: str) -> dict[str, Any]:
    return wrap(p, apps.show(p.room.apps, app_id).wire())


def remove(p: Platform, app_id: str) -> dict[str, Any]:
    """Its functions start nothing any more, and their runs go on. An app that syncs again is back."""
    return wrap(p, apps.remove(p.services, p.room.apps, app_id).wire())
