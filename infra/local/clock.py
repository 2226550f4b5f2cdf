"""How far the local cloud's clock was moved ahead: kept in a file, read at a start, parsed from a request."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
MOST_MS = 10 * 366 * UNIT_MS["d"]
PART = re.compile(r"(\d{1,12})\s*(ms|[smhdw])\s*")
HOW = 'such as {"by": "24h"}: whole numbers with ms, s, m, h, d or w, or "1d12h", at most 10 years'


def duration_ms(text: object) -> int:
    """Milliseconds of a duration such as "24h" or "1h30m". Raises ValueError with advice."""
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"Say how far to move the clock, {HOW}.")
    text = text.strip()
    total, at = 0, 0
    while at < len(text):
        part = PART.match(text, at)
        if part is None:
            raise ValueError(f"{text[:40]!r} is not a duration. Write one {HOW}.")
        total += int(part[1]) * UNIT_MS[part[2]]
        at = part.end()
    if not 0 < total <= MOST_MS:
        raise ValueError(f"{text[:40]!r} is out of range. Write a duration {HOW}.")
    return total


def read_offset(path: Path) -> int:
    """The stored offset in milliseconds; 0 where there is none or the file is unreadable."""
    try:
        offset = int(json.loads(path.read_text(encoding="utf-8"))["offset_ms"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return max(0, offset)


def write_offset(path: Path, offset_ms: int) -> None:
    """Store the offset so that a crash in between leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({"offset_ms": offset_ms}) + "\n", encoding="utf-8")
    os.replace(draft, path)


def requested_ms(body: bytes) -> int:
    """Milliseconds asked for by the body of ``POST /dev/advance``. Raises ValueError with advice."""
    try:
        asked = json.loads(body)
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise ValueError(f"The body must be a JSON object {HOW}.")
    return duration_ms(asked.get("by"))


def readable(ms: int) -> str:
    """A duration as people write it, such as 1d 2h."""
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, ms = divmod(ms, UNIT_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"
