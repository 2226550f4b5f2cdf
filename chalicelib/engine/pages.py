"""Lists page by page: rows, and the cursor of the next ones."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from chalicelib.core.errors import UserError

# Above every position among a function's runs (engine.run_ports.Runs.page).
NEWEST = "9" * 15


class InvalidQuery(UserError):
    """A query parameter that cannot be used."""


@dataclass(frozen=True)
class Page:
    """Some rows, and the cursor of the next ones."""

    rows: list[dict[str, Any]]
    cursor: str | None


def run_id_at(position: str) -> str:
    """Of which run a position among a function's runs is."""
    return position.split("#", 1)[1]


def encode_cursor(position: str) -> str:
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """The position in a cursor. Raises InvalidQuery for what cannot be one of ours."""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:  # binascii's and Unicode's errors are such.
        raise not_ours() from None


def not_ours() -> InvalidQuery:
    return InvalidQuery("cursor: this is not a cursor of an earlier page")
