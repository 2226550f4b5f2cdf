"""Timestamps and durations, exact to the nanosecond. Pure: no clock and no time zone but UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

SECOND = 1_000_000_000  # Nanoseconds.

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = -62_135_596_800 * SECOND  # 0001-01-01T00:00:00Z
_LAST = 253_402_300_800 * SECOND - 1  # The end of year 9999
_LONGEST = 315_576_000_000 * SECOND  # CEL's bound: about 10,000 years

_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:\.([0-9]{1,9}))?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ms|us|µs|ns|d|h|m|s)")
_UNITS = {
    "d": 86_400 * SECOND,
    "h": 3_600 * SECOND,
    "m": 60 * SECOND,
    "s": SECOND,
    "ms": 1_000_000,
    "us": 1_000,
    "µs": 1_000,
    "ns": 1,
}
_LONGEST_TEXT = 64


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """A moment: nanoseconds since 1970-01-01T00:00:00Z. Raises ValueError outside the years 1 … 9999."""

    nanoseconds: int

    def __post_init__(self) -> None:
        if not _FIRST <= self.nanoseconds <= _LAST:
            raise ValueError("the years go from 1 to 9999, and a number means seconds since 1970 (ts / 1000)")

    def utc(self) -> datetime:
        """The moment in UTC, to the microsecond."""
        return _EPOCH + timedelta(microseconds=self.nanoseconds // 1000)

    def __str__(self) -> str:
        whole = self.utc().replace(microsecond=0, tzinfo=None).isoformat()
        return f"{whole}{_fraction(self.nanoseconds % SECOND)}Z"


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A span of time in nanoseconds. Raises ValueError beyond 10,000 years."""

    nanoseconds: int

    def __post_init__(self) -> None:
        if abs(self.nanoseconds) > _LONGEST:
            raise ValueError("a duration must be shorter than 10,000 years")

    def __str__(self) -> str:
        seconds, rest = divmod(abs(self.nanoseconds), SECOND)
        return f"{'-' if self.nanoseconds < 0 else ''}{seconds}{_fraction(rest)}s"


def _fraction(nanoseconds: int) -> str:
    return f".{nanoseconds:09}".rstrip("0") if nanoseconds else ""


def parse_timestamp(text: str) -> Timestamp:
    """Read an RFC 3339 text; raises ValueError."""
    found = _RFC3339.fullmatch(text) if len(text) <= _LONGEST_TEXT else None
    if found is None:
        raise ValueError("a timestamp is written as in 2026-03-01T12:00:00Z")
    date, time, fraction, zone = found.groups()
    offset = "+00:00" if zone in ("Z", "z") else zone
    try:
        moment = datetime.fromisoformat(f"{date}T{time}{offset}")
    except ValueError:
        raise ValueError("there is no such date, time of day or offset") from None
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    return Timestamp(seconds * SECOND + int((fraction or "0").ljust(9, "0")))


def parse_duration(text: str) -> Duration:
    """Read a text such as 1h30m, -1.5s, 7d or 0; raises ValueError."""
    body = text[1:] if text[:1] in ("+", "-") else text
    if body == "0":
        return Duration(0)
    at, total = 0, Fraction(0)
    while len(text) <= _LONGEST_TEXT and (part := _PART.match(body, at)):
        total += Fraction(part[1]) * _UNITS[part[2]]
        at = part.end()
    if not body or at < len(body):
        raise ValueError("a duration is written as in 1h30m, with the units d, h, m, s, ms, us, ns")
    return Duration(int(-total if text.startswith("-") else total))
