"""The machine's clock, which local development can move ahead."""

from __future__ import annotations

import threading
import time


class ShiftableClock:
    """The machine's clock and an offset (milliseconds) that only grows."""

    def __init__(self, offset_ms: int = 0) -> None:
        self._offset_ms = offset_ms
        self._lock = threading.Lock()

    @property
    def offset_ms(self) -> int:
        return self._offset_ms

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._offset_ms

    def advance(self, by_ms: int) -> None:
        with self._lock:
            self._offset_ms += by_ms
