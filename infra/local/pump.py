"""Takes messages from one queue and gives them to a handler, as a Lambda event source mapping does.

Of the worker threads at most one waits on the queue with a receive that lasts; the others rest until they
are nudged (see nudge.py) and then look without waiting. A handler that raises deletes nothing; one that
answers with ``batchItemFailures`` has all others deleted. Visibility timeouts and redrive are the queue's
own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.local.context import LambdaContext
from infra.local.gate import Gate
from infra.local.records import failed_ids, lambda_event
from infra.local.wire import QueueWire, WireError

Handler = Callable[[dict[str, Any], LambdaContext], Any]
log = logging.getLogger("stepwell.dev")
WAIT_S = 1
"""A waiting receive outlives its caller in the emulator and may then swallow a message; so it is short."""
PAUSE_AFTER_ERROR_S = 0.5


@dataclass(frozen=True)
class Source:
    """One event source mapping: at most ``batch`` messages of a queue at a time, ``workers`` side by side."""

    queue_url: str
    queue_arn: str
    function_name: str
    batch: int
    workers: int
    timeout_s: float


class Pump:
    """The worker threads of one source. ``start`` once, ``stop`` once. Handlers run within ``gate``."""

    def __init__(self, endpoint: str, source: Source, handler: Handler, gate: Gate | None = None) -> None:
        self._gate = gate or Gate()
        self._endpoint = endpoint
        self._source = source
        self._handler = handler
        self._state = threading.Condition()
        self._looks = 0  # How many workers should look at the queue without waiting.
        self._waiting = False  # Whether some worker waits on the queue.
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._work, name=f"{source.function_name}-{n}", daemon=True)
            for n in range(source.workers)
        ]

    def start(self) -> None:
        """Begin to take messages."""
        for thread in self._threads:
            thread.start()

    def nudge(self) -> None:
        """Something may be on the queue: let a resting worker look at once."""
        with self._state:
            if self._looks < self._source.workers:
                self._looks += 1
            self._state.notify()

    def stop(self, within_s: float) -> int:
        """Take no more messages and wait for those in work; returns how many workers were still busy."""
        with self._state:
            self._stopping = True
            self._state.notify_all()
        deadline = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return sum(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        wire = QueueWire(self._endpoint, self._source.queue_url)
        try:
            while (waits := self._next_turn()) is not None:
                self._look(wire, waits)
        finally:
            wire.close()

    def _next_turn(self) -> bool | None:
        """True to wait on the queue, False to look at it once, None to end."""
        with self._state:
            while not self._stopping:
                if self._looks:
                    self._looks -= 1
                    return False
                if not self._waiting:
                    self._waiting = True
                    return True
                self._state.wait()
        return None

    def _look(self, wire: QueueWire, waits: bool) -> None:
        try:
            messages = wire.receive(self._source.batch, WAIT_S if waits else 0)
        except WireError as error:
            messages = []
            if not self._stopping:
                log.warning("queue unreachable", extra={"queue": self._source.queue_url, "error": str(error)})
                time.sleep(PAUSE_AFTER_ERROR_S)
        with self._state:
            if waits:
                self._waiting = False
            if messages and self._looks < self._source.workers:
                self._looks += 1  # There may be more: let another worker see.
            if waits or messages:
                self._state.notify()
        if messages:
            with self._gate.entered():
                self._deliver(wire, messages)

    def _deliver(self, wire: QueueWire, messages: list[dict[str, Any]]) -> None:
        """Call the handler with one batch, then delete what it dealt with."""
        source = self._source
        context = LambdaContext(source.function_name, source.timeout_s)
        event = lambda_event(messages, source.queue_arn)
        try:
            answer = self._handler(event, context)
        except BaseException as error:
            on_purpose = type(error).__module__.startswith("chalicelib.")  # The platform has told why.
            log.error(
                "handler failed; its messages come back",
                exc_info=not on_purpose,
                extra={"function_name": source.function_name, "error": repr(error)},
            )
            return
        failed = failed_ids(answer, {message["MessageId"] for message in messages})
        try:
            wire.delete([one["ReceiptHandle"] for one in messages if one["MessageId"] not in failed])
        except WireError as error:
            log.warning("not acknowledged", extra={"queue": source.queue_url, "error": str(error)})
