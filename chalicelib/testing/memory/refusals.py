"""What AWS answers instead of doing what it was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class Refused(Exception):
    """An error of AWS: its `code`, and what its answer holds besides."""

    def __init__(self, code: str, message: str, **more: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.more = more


def invalid(message: str) -> Refused:
    """A request that DynamoDB does not take."""
    return Refused("ValidationException", message)


def only(request: Mapping[str, Any], known: Iterable[str], what: str) -> None:
    """Raises NotImplementedError when the request has a parameter that is not known here."""
    unknown = set(request) - set(known)
    if unknown:
        raise NotImplementedError(f"{what} with {', '.join(sorted(unknown))}")
