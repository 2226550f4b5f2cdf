"""`POST /e/{key}`: the body read, whatever its content type, and handed to the engine."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from chalice.app import Response

from chalicelib.core import ids
from chalicelib.core.errors import InvalidEvent
from chalicelib.engine import ingest
from chalicelib.web.errors import problem

if TYPE_CHECKING:
    from chalicelib.wiring import Platform

# API Gateway refuses bodies over 10 MB, Lambda requests over 6 MB.
MAX_BODY_BYTES = 6 * 1024 * 1024


def accept_events(p: Platform, key: str, raw: bytes, content_type: str, seed: str | None = None) -> Response:
    """Accept the events of a request; `{ids, status}`, or with an `error` and each refused event's own. `seed` is the
    header that a client sends again with the request."""
    if p.keyring is not None and not p.keyring.accepts_event_key(key):
        return problem(401, "this event key is not known")
    if len(raw) > MAX_BODY_BYTES:
        return problem(
            413, f"the body has {len(raw):,} bytes; at most {MAX_BODY_BYTES:,} are allowed: send less at once"
        )
    accepted = ingest.accept(p.services, p.reception, parse_body(raw, content_type), ids.EventSeed.read(seed))
    body: dict[str, Any] = {"ids": list(accepted.ids), "status": 200}
    if accepted.fault is not None:
        return problem(503, accepted.fault, ids=body["ids"])
    if accepted.refusals:
        first = accepted.refusals[0]
        errors = [{"index": refusal.index, "error": refusal.error} for refusal in accepted.refusals]
        return problem(400, f"event {first.index}: {first.error}", ids=body["ids"], errors=errors)
    return Response(body=body, status_code=200)


def parse_body(raw: bytes, content_type: str) -> object:
    """The JSON of a body. A form's fields are an event's, with `data` and `user` as JSON; curl's `-d` says form and
    sends JSON, which is understood too. Raises InvalidEvent."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise InvalidEvent("the body is not UTF-8") from None
    if content_type.startswith("application/x-www-form-urlencoded") and not text.lstrip().startswith(("{", "[")):
        return _form(text)
    return _json(text, "the body")


def _json(text: str, what: str) -> object:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise InvalidEvent(f"{what} is nested too deeply") from None
    except ValueError as error:
        raise InvalidEvent(f"{what} is not JSON: {error}") from None


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON value")


def _form(text: str) -> object:
    try:
        fields: dict[str, Any] = dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=20))
    except ValueError:
        raise InvalidEvent("the form cannot be read; send JSON, or the fields name, data, user, id, ts") from None
    for name in ("data", "user"):
        if name in fields:
            fields[name] = _json(fields[name], f"the field {name!r}")
    if re.fullmatch(r"[0-9]{1,18}", fields.get("ts", "")):
        fields["ts"] = int(fields["ts"])
    return fields
