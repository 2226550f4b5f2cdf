"""What starts a function and what cancels it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class TriggerEvent:
    """Starts the function for each event of this name for which `expression` (over `event`) is true.

    `a/*` and `a.*` match every event whose name begins so.
    """

    event: str
    expression: str | None = None


@dataclass(frozen=True)
class TriggerCron:
    """Starts the function by the clock: five cron fields, `"TZ=Europe/Berlin 0 9 * * 1"` for a time zone."""

    cron: str


@dataclass(frozen=True)
class Cancel:
    """Ends a run when such an event comes.

    `if_exp` compares the event that started the run (`event`) with the one that has come (`async`). With
    `timeout` (milliseconds, a timedelta or a text such as "7d") only events within that time after the run's
    start count.
    """

    event: str
    if_exp: str | None = None
    timeout: int | timedelta | str | None = None
