"""Looking at who stands in line for a place under a limit of a function."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from chalicelib.core.clock import to_iso
from chalicelib.core.concurrency import LimitKey, Waiter
from chalicelib.core.functions import FunctionConfig
from chalicelib.engine.pages import Page, decode_cursor, encode_cursor, not_ours
from chalicelib.engine.query_functions import known
from chalicelib.engine.services import Services

# A line that functions share may hold many of others: so many parts of it are looked at for one page.
_MAX_PARTS = 10
_PART = 100


class _Place(BaseModel):
    """Behind whom a page goes on."""

    key: LimitKey
    order_us: int
    holder: str


def queue(s: Services, fn_id: str, *, limit: int, cursor: str | None) -> Page:
    """What waits for a place, line by line, each in its order. A page may be short and have a cursor all the same.
    Raises NotFound, InvalidQuery."""
    config = known(s, fn_id)
    place = _place(cursor)
    rows: list[dict[str, Any]] = []
    parts = 0
    for key in (*s.lines.lines_of(fn_id), *s.lines.lines_of("")):
        if place is not None and _rank(key) < _rank(place.key):
            continue
        after = (place.order_us, place.holder) if place is not None and place.key == key else None
        while True:
            if parts == _MAX_PARTS:
                return Page(rows, None if place is None else encode_cursor(place.model_dump_json()))
            part = s.lines.page(key, after=after, limit=_PART)
            parts += 1
            for waiter in part:
                if waiter.fn_id == fn_id:
                    if len(rows) == limit:
                        assert place is not None
                        return Page(rows, encode_cursor(place.model_dump_json()))
                    rows.append(_wire(config, waiter))
                place = _Place(key=key, order_us=waiter.order_us, holder=waiter.holder)
            if len(part) < _PART:
                break
            after = part[-1].place_in_line
    return Page(rows, None)


def _rank(key: LimitKey) -> tuple[bool, str]:
    """The function's own lines come first."""
    return key.is_shared, key.digest


def _place(cursor: str | None) -> _Place | None:
    if cursor is None:
        return None
    try:
        return _Place.model_validate_json(decode_cursor(cursor))
    except ValidationError:
        raise not_ours() from None


def _wire(config: FunctionConfig, waiter: Waiter) -> dict[str, Any]:
    limits = () if config.flow is None else config.flow.concurrency
    configured = limits[waiter.nth] if waiter.nth < len(limits) else None
    return {
        "run_id": waiter.run_id,
        "step_id": waiter.step_id,
        "reason": "concurrency",
        "limit": waiter.limit if configured is None else configured.limit,
        "scope": None if configured is None else configured.scope,
        "key": None if configured is None else configured.key,
        "key_value": waiter.shown or None,
        "since": to_iso(waiter.since_ms),
        "woken_at": to_iso(waiter.woken_at_ms) if waiter.woken_at_ms else None,
    }
