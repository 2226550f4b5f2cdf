"""Carries messages from the queues to the handlers that Lambda calls, and keeps a record of each.

The workers are those of `make dev` (infra/local/pump.py): several side by side, partial batches, visibility timeouts.
As on Lambda, each worker has a platform of its own.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chalicelib import deliveries
from chalicelib.engine.ports import QueueName
from chalicelib.wiring import Platform
from infra.local.context import LambdaContext
from infra.local.nudge import Nudges
from infra.local.pump import Pump, Source
from infra.local.records import failed_ids
from infra.local.settings import ACCOUNT, REGION

Answer = dict[str, Any]
Handler = Callable[[Platform, dict[str, Any], Any], Answer]
# As in `make dev`: events in batches, work one message at a time.
_EVENT_WORKERS, _WORK_WORKERS = 2, 4
_EVENT_BATCH, _WORK_BATCH = 10, 1
_TIMEOUT_S = 60.0
_STOP_WITHIN_S = 60.0


@dataclass
class Carried:
    """A message that was delivered at least once. Times in seconds of the wall clock."""

    queue: QueueName
    body: str
    sent_at: float
    first_at: float
    deliveries: int = 0
    nacks: int = 0


@dataclass
class Record:
    """What the transport saw, by message id."""

    carried: dict[str, Carried] = field(default_factory=dict)
    # CPU of the handlers' own threads and batches, by queue.
    cpu_s: dict[QueueName, float] = field(default_factory=lambda: defaultdict(float))
    handled: Counter[QueueName] = field(default_factory=Counter)

    @property
    def messages(self) -> list[Carried]:
        """All so far. Others may come while one goes through them."""
        return list(self.carried.values())

    def of(self, text: str, queue: QueueName) -> list[Carried]:
        """Messages of a queue whose body has this in it."""
        return [one for one in self.messages if one.queue is queue and text in one.body]


class Transport:
    """Pumps of both queues. Enter it to start, leave it to stop.

    `twice(body)`: called at the first delivery of each message; may put a copy of it into its queue.
    """

    def __init__(
        self,
        endpoint: str,
        make_platform: Callable[[], Platform],
        urls: dict[QueueName, str],
        nudges: Nudges,
        wrap: Callable[[Handler], Handler] = lambda handler: handler,
    ) -> None:
        self.record = Record()
        self.platforms: list[Platform] = []
        self.on_first: Callable[[QueueName, str], None] | None = None
        self._make_platform = make_platform
        self._lock = threading.Lock()
        self._local = threading.local()
        self._pumps = [
            self._pump(endpoint, urls, QueueName.EVENTS, wrap(deliveries.on_events), _EVENT_BATCH, _EVENT_WORKERS),
            self._pump(endpoint, urls, QueueName.WORK, wrap(deliveries.on_work), _WORK_BATCH, _WORK_WORKERS),
        ]
        for queue, pump in zip((QueueName.EVENTS, QueueName.WORK), self._pumps, strict=True):
            nudges.register(urls[queue], pump.nudge)

    def _pump(
        self, endpoint: str, urls: dict[QueueName, str], queue: QueueName, handler: Handler, batch: int, workers: int
    ) -> Pump:
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{urls[queue].rsplit('/', 1)[1]}"
        source = Source(urls[queue], arn, f"drill-{queue.value}", batch, workers, _TIMEOUT_S)
        return Pump(endpoint, source, lambda event, context: self._deliver(queue, handler, event, context))

    def __enter__(self) -> Transport:
        for pump in self._pumps:
            pump.start()
        return self

    def __exit__(self, *_: object) -> None:
        for pump in self._pumps:
            pump.stop(0)
        busy = sum(pump.stop(_STOP_WITHIN_S) for pump in self._pumps)
        if busy:
            raise TimeoutError(f"{busy} workers did not end within {_STOP_WITHIN_S:.0f} s")

    def _platform(self) -> Platform:
        if not hasattr(self._local, "platform"):
            with self._lock:
                self._local.platform = self._make_platform()
                self.platforms.append(self._local.platform)
        platform: Platform = self._local.platform
        return platform

    def _deliver(self, queue: QueueName, handler: Handler, event: dict[str, Any], context: LambdaContext) -> Answer:
        records: list[dict[str, Any]] = event["Records"]
        platform = self._platform()
        for record in records:
            self._came(queue, record)
        all_ids = {str(record["messageId"]) for record in records}
        failed, began = all_ids, time.thread_time()
        try:
            answer = handler(platform, event, context)
            failed = failed_ids(answer, all_ids)
            return answer
        finally:
            with self._lock:
                self.record.cpu_s[queue] += time.thread_time() - began
                self.record.handled[queue] += len(records)
                for message_id in failed:
                    self.record.carried[message_id].nacks += 1

    def _came(self, queue: QueueName, record: dict[str, Any]) -> None:
        with self._lock:
            message_id = str(record["messageId"])
            is_new = message_id not in self.record.carried
            if is_new:
                sent_at = int(record["attributes"]["SentTimestamp"]) / 1000
                self.record.carried[message_id] = Carried(queue, record["body"], sent_at, time.time())
            self.record.carried[message_id].deliveries += 1
        if is_new and self.on_first is not None:
            self.on_first(queue, str(record["body"]))


@dataclass(frozen=True)
class Depth:
    """Messages in both queues at a moment (seconds of the monotonic clock)."""

    at: float
    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        return self.visible + self.in_flight + self.delayed


class Gauge:
    """Looks at the depth of both queues again and again, as long as it is entered."""

    def __init__(self, platform: Platform, every_s: float) -> None:
        self._platform = platform
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look, name="drill-gauge", daemon=True)
        self.depths: list[Depth] = []

    def __enter__(self) -> Gauge:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(30)

    def now(self) -> Depth:
        """How it is now."""
        queues = self._platform.services.queues
        began = time.monotonic()
        found = [queues.depth(queue) for queue in (QueueName.EVENTS, QueueName.WORK)]
        return Depth(
            began,
            sum(depth.visible for depth in found),
            sum(depth.in_flight for depth in found),
            sum(depth.delayed for depth in found),
        )

    def _look(self) -> None:
        while not self._stopping.wait(self._every_s):
            self.depths.append(self.now())

    def rest(self, within_s: float, leave: int = 0) -> bool:
        """Wait until the queues hold no more than `leave` messages; whether they came to that."""
        deadline = time.monotonic() + within_s
        calm = 0
        while time.monotonic() < deadline:
            # A handler sends before it acknowledges, so a message that causes another is never the last one seen; but
            # the two queues are not looked at in one moment.
            calm = calm + 1 if self.now().total <= leave else 0
            if calm == 3:
                return True
            time.sleep(0.1)
        return False
