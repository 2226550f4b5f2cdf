"""Times as SDKs write them: durations (`1w2d3h`), dates, and Retry-After."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import Final

from chalicelib.core import limits
from chalicelib.core.clock import from_datetime, from_iso
from chalicelib.core.durations import format_duration, parse_duration
from chalicelib.core.errors import InvalidDuration

# The Go SDK writes them out; nothing here is so exact.
_BELOW_MS: Final = re.compile(r"\d+(?:\.\d+)?(?:us|µs|μs|ns)")
_SECONDS: Final = re.compile(r"\d{1,15}(?:\.\d{1,9})?")


def moment_ms(text: object, now_ms: int, what: str) -> int:
    """The moment that a duration from now or a date denotes; a text that is empty denotes now.

    Raises InvalidDuration, also for one that lies further away than the longest wait.
    """
    if text is None or text == "":
        return now_ms
    if not isinstance(text, str):
        raise InvalidDuration(f"{what} must be a text such as '1h30m' or a date, not {type(text).__name__}")
    moment = _date_ms(text)
    if moment is None:
        rest = _BELOW_MS.sub("", text)
        moment = now_ms + (parse_duration(rest) if rest or rest == text else 0)
    if moment - now_ms > limits.MAX_WAIT_MS:
        raise InvalidDuration(
            f"{what} is {text[:64]!r}, further away than {format_duration(limits.MAX_WAIT_MS)}, the longest there is"
        )
    return moment


def duration_ms(text: object, now_ms: int, what: str) -> int:
    """How far from now it is; what is past is now. Raises InvalidDuration."""
    return max(0, moment_ms(text, now_ms, what) - now_ms)


def retry_after_ms(text: str | None, now_ms: int) -> int | None:
    """The moment that a Retry-After header denotes, in seconds, as an HTTP date or in ISO form; None where it says
    nothing that can be read."""
    if text is None:
        return None
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return now_ms + round(float(text) * 1000)
    moment = _date_ms(text)
    if moment is not None:
        return moment
    try:
        return from_datetime(parsedate_to_datetime(text))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _date_ms(text: str) -> int | None:
    try:
        return from_iso(text.strip())
    except (ValueError, OverflowError):
        return None
