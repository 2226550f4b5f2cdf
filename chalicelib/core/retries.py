"""When to try again. The table and the jitter are those of the SDK protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chalicelib.core import limits

BACKOFF_MS: Final[tuple[int, ...]] = tuple(
    seconds * 1000 for seconds in (15, 30, 60, 120, 300, 600, 1200, 2400, 3600, 7200)
)
JITTER_MS: Final = 30_000


def backoff_ms(failed_attempts: int, jitter: float, table_ms: Sequence[int] = BACKOFF_MS) -> int:
    """The delay after the `failed_attempts`-th failure (from 1), in milliseconds; `jitter` is in [0, 1).

    A table given for local development carries no jitter: its entries are meant to be exact.
    """
    base = table_ms[min(failed_attempts, len(table_ms)) - 1]
    return base + int(jitter * JITTER_MS) if table_ms is BACKOFF_MS else base


def retry_at_ms(
    *,
    now_ms: int,
    failed_attempts: int,
    max_attempts: int,
    retriable: bool,
    retry_after_ms: int | None,
    jitter: float,
    table_ms: Sequence[int] = BACKOFF_MS,
) -> int | None:
    """When the next attempt is due (milliseconds since the epoch), or None when there is none.

    `retry_after_ms` is the moment that the user asked for; it is held between 1 s and 24 h from now.
    """
    if not retriable or failed_attempts >= max_attempts:
        return None
    if retry_after_ms is not None:
        asked = retry_after_ms - now_ms
        return now_ms + min(max(asked, limits.RETRY_AFTER_MIN_MS), limits.RETRY_AFTER_MAX_MS)
    return now_ms + backoff_ms(failed_attempts, jitter, table_ms)
