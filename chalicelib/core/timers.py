"""Far timers lie in buckets of time, spread over shards; a tick sweeps the buckets from a low-water mark."""

from __future__ import annotations

from typing import Final

from chalicelib.core import limits

# An hour: a tick reads one or two buckets, and a sweep over a long outage stays short.
BUCKET_MS: Final = limits.HOUR_MS
SHARDS: Final = 4
# A tick fetches what is due within this time; it stays under the 15 minutes of a delayed message, and above the
# minute between two ticks, so that one missed tick delays nothing.
LOOKAHEAD_MS: Final = 5 * limits.MINUTE_MS
# The mark passes a bucket only when it is empty and this old: a slow writer may still put into a younger one.
MARK_LAG_MS: Final = 20 * limits.MINUTE_MS


def bucket_of(due_ms: int) -> int:
    """The bucket's number."""
    return due_ms // BUCKET_MS


def first_bucket(mark: str | None, now_ms: int) -> int:
    """Where a sweep begins: at the mark, or, where there is none, at the oldest bucket that may still be written."""
    oldest = bucket_of(now_ms - MARK_LAG_MS)
    return oldest if mark is None else min(int(mark), oldest)


def next_mark(bucket: int, is_empty: bool, mark: int, now_ms: int) -> int:
    """The mark after a bucket was swept: it passes the bucket if all before it were passed and it is empty and old."""
    passes = bucket == mark and is_empty and (bucket + 1) * BUCKET_MS < now_ms - MARK_LAG_MS
    return mark + 1 if passes else mark
