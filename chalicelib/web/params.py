"""Query parameters, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping

from chalicelib.core import limits
from chalicelib.core.clock import from_iso
from chalicelib.core.runs import RunStatus
from chalicelib.engine.query import InvalidQuery

_MAX_CHARS = 256


class Params:
    """The query parameters of one request; `known` are those that the route has."""

    def __init__(self, given: Mapping[str, str] | None, known: tuple[str, ...]) -> None:
        self._given = dict(given or {})
        unknown = sorted(set(self._given) - set(known))
        if unknown:
            raise InvalidQuery(f"unknown parameter {unknown[0]!r}; known are {', '.join(known) or 'none'}")

    def text(self, name: str) -> str | None:
        """Raises InvalidQuery for a text that is longer than any key."""
        value = self._given.get(name) or None
        if value is not None and len(value) > _MAX_CHARS:
            raise InvalidQuery(f"{name} has more than {_MAX_CHARS} characters")
        return value

    def limit(self) -> int:
        text = self._given.get("limit", str(limits.DEFAULT_PAGE))
        if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= limits.MAX_PAGE:
            raise InvalidQuery(f"limit must be a number from 1 to {limits.MAX_PAGE}")
        return int(text)

    def time_ms(self, name: str, default_ms: int) -> int:
        text = self._given.get(name)
        if not text:
            return default_ms
        try:
            moment = from_iso(text)
        except (ValueError, OverflowError):
            raise InvalidQuery(f"{name} must be a time such as 2026-11-24T09:00:00Z") from None
        if moment < 0:
            raise InvalidQuery(f"{name} must lie after 1970")
        return moment

    def status(self) -> RunStatus | None:
        text = self._given.get("status")
        if not text:
            return None
        try:
            return RunStatus(text.capitalize())
        except ValueError:
            names = ", ".join(status.value for status in RunStatus)
            raise InvalidQuery(f"status must be one of {names}") from None
