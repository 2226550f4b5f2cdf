"""The shape of every list and object: `{data, metadata}`."""

from __future__ import annotations

from typing import Any

from chalicelib.core.clock import to_iso
from chalicelib.engine.pages import Page
from chalicelib.wiring import Platform


def wrap(p: Platform, data: Any, **metadata: Any) -> dict[str, Any]:
    return {"data": data, "metadata": {"fetched_at": to_iso(p.clock.now_ms()), "cached_until": None, **metadata}}


def wrap_page(p: Platform, page: Page, **metadata: Any) -> dict[str, Any]:
    cursor = {} if page.cursor is None else {"cursor": page.cursor}
    return wrap(p, page.rows, **cursor, **metadata)
