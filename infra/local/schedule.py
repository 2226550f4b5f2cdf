"""Calls the scheduled handlers at their rates, as EventBridge does in the cloud."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from infra.local.context import LambdaContext
from infra.local.settings import ACCOUNT, REGION

Handler = Callable[[dict[str, Any], LambdaContext], Any]
log = logging.getLogger("stepwell.dev")


def scheduled_event(rule: str, now_ms: int) -> dict[str, Any]:
    """A scheduled event as CloudWatch Events shapes it; ``now_ms`` is epoch milliseconds."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}"],
        "detail": {},
    }


class Schedule:
    """One handler, after ``first_s`` and then every ``every_s`` seconds of real time; one call at a time."""

    def __init__(
        self,
        name: str,
        handler: Handler,
        now_ms: Callable[[], int],
        *,
        first_s: float,
        every_s: float,
        timeout_s: float = 60.0,
    ) -> None:
        self._name = name
        self._handler = handler
        self._now_ms = now_ms
        self._first_s = first_s
        self._every_s = every_s
        self._timeout_s = timeout_s
        self._changed = threading.Condition()
        self._due = 0.0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to call."""
        self._due = time.monotonic() + self._first_s
        self._thread.start()

    def soon(self) -> None:
        """Call now, or at once after the call in work; does not wait."""
        with self._changed:
            self._due = time.monotonic()
            self._changed.notify()

    def stop(self, within_s: float) -> int:
        """No more calls; waits for one in work and returns 1 if it was still busy. Repeatable."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(within_s)
        return int(self._thread.is_alive())

    def _run(self) -> None:
        while self._waited():
            try:
                self._handler(scheduled_event(self._name, self._now_ms()), LambdaContext(self._name, self._timeout_s))
            except Exception:
                log.exception("scheduled handler failed", extra={"function_name": self._name})

    def _waited(self) -> bool:
        """Until the next call is due; False to end. What the handler raised is caught up by the next call."""
        with self._changed:
            while not self._stopping and (left := self._due - time.monotonic()) > 0:
                self._changed.wait(left)
            self._due = time.monotonic() + self._every_s
            return not self._stopping
