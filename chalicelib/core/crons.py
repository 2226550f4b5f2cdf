"""Schedules: when a cron expression is due."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from chalicelib.core.clock import from_datetime
from chalicelib.core.errors import InvalidFunction

_MAX_CHARS = 128


@dataclass(frozen=True)
class CronSchedule:
    """A checked cron expression of five fields, in a time zone (UTC unless `TZ=` says otherwise)."""

    text: str
    expression: str
    zone: str

    @classmethod
    def parse(cls, text: str) -> CronSchedule:
        """Raises InvalidFunction when the fields or the time zone cannot be read."""
        from cronsim import CronSim, CronSimError

        if len(text) > _MAX_CHARS:
            raise InvalidFunction(f"the cron expression has more than {_MAX_CHARS} characters")
        zone, expression = "UTC", text.strip()
        for prefix in ("TZ=", "CRON_TZ="):
            if expression.startswith(prefix):
                zone, _, expression = expression.removeprefix(prefix).partition(" ")
                expression = expression.strip()
        try:
            info = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidFunction(
                f"{zone!r} is not a time zone: use a name such as 'Europe/Berlin' (TZ=Europe/Berlin 0 9 * * 1)"
            ) from None
        if len(expression.split()) != 5:
            raise InvalidFunction(
                f"{text!r} is not a cron expression: it needs five fields (minute hour day month weekday)"
            )
        try:
            CronSim(expression, datetime(2026, 1, 1, tzinfo=info))
        except CronSimError as error:
            raise InvalidFunction(f"{text!r} is not a cron expression: {error}") from None
        return cls(text=text, expression=expression, zone=zone)

    def due_between(self, after_ms: int, until_ms: int) -> Iterator[int]:
        """The times due in (after_ms, until_ms], in milliseconds, in order."""
        from cronsim import CronSim

        start = datetime.fromtimestamp(after_ms / 1000, tz=UTC).astimezone(ZoneInfo(self.zone))
        for moment in CronSim(self.expression, start):
            due_ms = from_datetime(moment)
            if due_ms > until_ms:
                return
            if due_ms > after_ms:
                yield due_ms
