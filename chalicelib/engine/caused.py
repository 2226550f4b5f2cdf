"""What an event resumed and cancelled, page by page: these may be 100,000 runs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chalicelib.core.clock import to_iso
from chalicelib.core.records import Effect, EffectKind, EventRecord
from chalicelib.engine.event_times import between
from chalicelib.engine.pages import decode_cursor, encode_cursor, not_ours
from chalicelib.engine.services import Services


class _Places(BaseModel):
    """Where to go on with each kind; None where all has been shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resumed: str | None = Field(default=None, max_length=200)
    cancelled: str | None = Field(default=None, max_length=200)


def effects(
    s: Services, record: EventRecord, *, limit: int, cursor: str | None
) -> tuple[dict[str, list[dict[str, Any]]], str | None]:
    """Up to `limit` runs that the event resumed, as many that it cancelled, and the cursor of the next ones. Raises
    InvalidQuery."""
    places = _Places(resumed="", cancelled="") if cursor is None else _read(cursor)
    resumed, resumed_next = _page(s, record, EffectKind.RESUMED, places.resumed, limit)
    cancelled, cancelled_next = _page(s, record, EffectKind.CANCELLED, places.cancelled, limit)
    found = {"resumed": [{**row, "step_id": effect.step_id} for row, effect in resumed]}
    found["cancelled"] = [row for row, _ in cancelled]
    following = _Places(resumed=resumed_next, cancelled=cancelled_next)
    return found, None if following == _Places() else encode_cursor(following.model_dump_json())


def _read(cursor: str) -> _Places:
    try:
        return _Places.model_validate_json(decode_cursor(cursor))
    except ValidationError:
        raise not_ours() from None


def _page(
    s: Services, record: EventRecord, kind: EffectKind, after: str | None, limit: int
) -> tuple[list[tuple[dict[str, Any], Effect]], str | None]:
    if after is None:
        return [], None
    found, following = s.events.effects(record.event.internal_id, kind, limit=limit, after=after)
    received = record.event.received_at_ms
    return [(_row(effect, received), effect) for effect in found], following


def _row(effect: Effect, received_at_ms: int) -> dict[str, Any]:
    return {
        "run_id": effect.run_id,
        "at": to_iso(effect.at_ms),
        "after_ms": between(received_at_ms, effect.at_ms),
    }
