"""What work goes through, so that something can happen between two pieces of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Open, or closed for a moment. Threads may use one at once; whoever is in may not close it."""

    def __init__(self) -> None:
        self._state = threading.Condition()
        self._inside = 0
        self._closed = 0

    @contextmanager
    def entered(self) -> Iterator[None]:
        """In the gate; while it is closed nobody gets in."""
        with self._state:
            self._state.wait_for(lambda: not self._closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._state:
                self._inside -= 1
                self._state.notify_all()

    @contextmanager
    def closed(self, within_s: float) -> Iterator[bool]:
        """Nobody gets in until this ends. Waits at most `within_s` for those who are in; whether all had left."""
        with self._state:
            self._closed += 1
            left = self._state.wait_for(lambda: not self._inside, within_s)
        try:
            yield left
        finally:
            with self._state:
                self._closed -= 1
                self._state.notify_all()
