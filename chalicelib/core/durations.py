"""Durations as users write them: `"1h30m"`, `"7d"`, a number of milliseconds, or a timedelta."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final, Literal

from chalicelib.core.errors import InvalidDuration

RUN: Final = "run"
"""The window of a wait that looks back as far as its run's trigger."""
Lookback = int | Literal["run"]
"""How far a wait looks back: so many milliseconds, or to the event that started its run."""

_UNITS_MS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_MAX_CHARS = 64
_MAX_MS = 10**17


def parse_duration(value: str | int | timedelta) -> int:
    """The duration in milliseconds.

    Raises InvalidDuration for a text that is not a chain of numbers with the units ms, s, m, h, d, w, for a
    negative duration, for one beyond all reason, and for what is none of the three.
    """
    if isinstance(value, timedelta):
        result = round(value.total_seconds() * 1000)
    elif isinstance(value, str):
        result = _parse_text(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        result = value
    else:
        raise InvalidDuration(
            "a duration is milliseconds (a whole number), a timedelta or a text such as '7d', "
            f"not {type(value).__name__}"
        )
    if abs(result) > _MAX_MS:  # Such a number cannot even be shown.
        what = "cannot be negative" if result < 0 else "is longer than 366d, the longest there is"
        raise InvalidDuration(f"the duration {what}")
    if result < 0:
        raise InvalidDuration(f"a duration cannot be negative: {value!r}")
    return result


def _parse_text(text: str) -> int:
    stripped = text.strip()
    if len(stripped) <= _MAX_CHARS:
        parts = list(_PART.finditer(stripped))
        if parts and "".join(part.group(0) for part in parts) == stripped:
            return round(sum(float(part.group(1)) * _UNITS_MS[part.group(2)] for part in parts))
    raise InvalidDuration(
        f"{text[:_MAX_CHARS]!r} is not a duration: write numbers with units, such as '30s', '1h30m' or '7d'"
    )


def format_duration(ms: int) -> str:
    """The duration on the wire and on timelines: `1h30m`, `7d`, `250ms`, `0s`."""
    rest, parts = ms, []
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, _UNITS_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_lookback(value: str | int | timedelta) -> Lookback:
    """A duration or `"run"`. Raises InvalidDuration."""
    return RUN if value == RUN else parse_duration(value)


def format_lookback(lookback: Lookback) -> str:
    """As it is shown: `run`, `1h`."""
    return RUN if lookback == RUN else format_duration(lookback)
