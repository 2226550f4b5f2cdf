"""Waiting: what is asked for, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chalicelib.sdk.event import Event


@dataclass(frozen=True)
class WaitFor:
    """An event to wait for: its name, and what must be true of it (`async`), as in wait_for_event."""

    event: str
    if_exp: str | None = None


@dataclass(frozen=True)
class FirstEvent:
    """The event that came first, and the number of the WaitFor that it is, from 0."""

    index: int
    event: Event


@dataclass(frozen=True)
class Signal:
    """A signal that came: its name, and what was sent with it."""

    signal: str
    data: Any
