"""Looking at what waits: in line for a place under a limit, until the function is resumed, or for the time that a
throttle gave it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from chalicelib.core.clock import to_iso
from chalicelib.core.concurrency import LimitKey, Waiter
from chalicelib.core.events import Event
from chalicelib.core.flow_control import Throttle
from chalicelib.core.flow_keys import key_of
from chalicelib.core.functions import FunctionConfig
from chalicelib.core.runs import RunHead
from chalicelib.engine.pages import NEWEST, Page, decode_cursor, encode_cursor, not_ours, run_id_at
from chalicelib.engine.query_functions import known
from chalicelib.engine.services import Services

# A line that functions share may hold many of others: so many parts of it are looked at for one page.
_MAX_PARTS = 10
_PART = 100


class _Place(BaseModel):
    """Behind whom a page goes on: in a line or, with no key, among the runs, newest first."""

    key: LimitKey | None = None
    order_us: int = 0
    holder: str = ""
    before: str


def queue(s: Services, fn_id: str, *, limit: int, cursor: str | None) -> Page:
    """What waits and why: line by line, each in its order, then the runs that a throttle delays. A page may be short
    and have a cursor all the same. Raises NotFound, InvalidQuery."""
    config = known(s, fn_id)
    found = _Found(s, config, limit, _place(cursor))
    full = found.add_lines() or found.add_delayed()
    return Page(found.rows, encode_cursor(found.place.model_dump_json()) if full and found.place else None)


class _Found:
    """A page that is being filled; `place` is behind what was looked at. Both parts say whether there may be more."""

    def __init__(self, s: Services, config: FunctionConfig, limit: int, place: _Place | None) -> None:
        self._s = s
        self._config = config
        self._limit = limit
        self._parts = 0
        self.place = place
        self.rows: list[dict[str, Any]] = []

    def _is_full(self) -> bool:
        self._parts += 1
        return self._parts > _MAX_PARTS

    def add_lines(self) -> bool:
        first = self.place
        if first is not None and first.key is None:
            return False
        for key in (*self._s.lines.lines_of(self._config.id), *self._s.lines.lines_of("")):
            if first is None or first.key is None or _rank(key) > _rank(first.key):
                after = None
            elif key == first.key:
                after = first.order_us, first.holder
            else:
                continue
            if self._add_line(key, after):
                return True
        self.place = _Place(before=NEWEST)
        return False

    def _add_line(self, key: LimitKey, after: tuple[int, str] | None) -> bool:
        while True:
            if self._is_full():
                return True
            part = self._s.lines.page(key, after=after, limit=_PART)
            for waiter in part:
                if waiter.fn_id == self._config.id:
                    if len(self.rows) == self._limit:
                        return True
                    self.rows.append(_in_line(self._config, key, waiter))
                self.place = _Place(key=key, order_us=waiter.order_us, holder=waiter.holder, before=NEWEST)
            if len(part) < _PART:
                return False
            after = part[-1].place_in_line

    def add_delayed(self) -> bool:
        throttle = None if self._config.flow is None else self._config.flow.throttle
        if throttle is None:
            return False
        now = self._s.clock.now_ms()
        before = NEWEST if self.place is None else self.place.before
        while True:
            if self._is_full():
                return True
            part = self._s.runs.page(self._config.id, before=before, limit=_PART)
            heads = {head.run_id: head for head in self._s.runs.heads([run_id_at(position) for position in part])}
            for position in part:
                head = heads.get(run_id_at(position))
                if head is not None and _is_delayed(head, now):
                    if len(self.rows) == self._limit:
                        return True
                    self.rows.append(_delayed(throttle, head, self._s.runs.trigger_event(head.run_id)))
                self.place = _Place(before=position)
            if len(part) < _PART:
                return False
            before = part[-1]


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


def _in_line(config: FunctionConfig, key: LimitKey, waiter: Waiter) -> dict[str, Any]:
    if key.is_pause:
        return _held(waiter)
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
        "expected_start": None,
    }


def _held(waiter: Waiter) -> dict[str, Any]:
    """One that waits until its function is resumed."""
    return {
        "run_id": waiter.run_id,
        "step_id": waiter.step_id,
        "reason": "paused",
        "limit": None,
        "scope": None,
        "key": None,
        "key_value": None,
        "since": to_iso(waiter.since_ms),
        "woken_at": to_iso(waiter.woken_at_ms) if waiter.woken_at_ms else None,
        "expected_start": None,
    }


def _is_delayed(head: RunHead, now_ms: int) -> bool:
    not_before_ms = head.seed.not_before_ms
    return head.ending is None and head.begun_at_ms is None and not_before_ms is not None and not_before_ms > now_ms


def _delayed(throttle: Throttle, head: RunHead, event: Event | None) -> dict[str, Any]:
    assert head.seed.not_before_ms is not None
    value = (
        None if throttle.key is None or event is None else key_of(throttle.key, event.payload(), "throttle.key").text
    )
    return {
        "run_id": head.run_id,
        "step_id": None,
        "reason": "throttle",
        "limit": throttle.limit,
        "scope": "fn",
        "key": throttle.key,
        "key_value": value,
        "since": to_iso(head.seed.created_at_ms),
        "woken_at": None,
        "expected_start": to_iso(head.seed.not_before_ms),
    }
