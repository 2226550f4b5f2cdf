"""Conditions are awaited, never slept for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

stopping = threading.Event()
"""Set when everything is to end: whoever waits gives up."""

_LOOK_EVERY_S = 0.25


class NeverCame(AssertionError):
    """What was awaited did not come in its time."""


class Stopped(Exception):
    """The test run ends."""


def until(
    what: str, look: Callable[[], T | None], within_s: float, every_s: float = _LOOK_EVERY_S, seen: object = None
) -> T:
    """What ``look`` returns, once that is true. A failed assertion in ``look`` means not yet, and is told at the end.

    Raises NeverCame.
    """
    deadline = time.monotonic() + within_s
    problem: object = seen
    while True:
        try:
            found = look()
            if found:
                return found
            problem = f"last seen: {found!r}"
        except AssertionError as error:
            problem = error
        if time.monotonic() > deadline:
            raise NeverCame(f"{what}: not within {within_s:.0f} s ({problem})")
        if stopping.wait(every_s):
            raise Stopped
