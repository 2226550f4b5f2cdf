"""A process that works off the queues, as one of Lambda would: a platform for each of its threads, and a meter."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from chalicelib import config, deliveries, wiring
from chalicelib.engine.ports import QueueName
from chalicelib.sdk.registry import Registry
from chalicelib.wiring import Platform
from infra.local.context import LambdaContext
from infra.local.nudge import Nudges
from infra.local.pump import Pump, Source
from infra.local.settings import ACCOUNT, REGION
from tests.bench.meter import EmulatorSession
from tests.drill.scene import SharedMeter
from tests.load.work import Marks, functions

# Of each process: events in batches, work one message at a time.
_EVENT_BATCH, _WORK_BATCH = 10, 1
_EVENT_WORKERS, _WORK_WORKERS = 1, 2
_TIMEOUT_S, _STOP_WITHIN_S = 60.0, 60.0


@dataclass(frozen=True)
class Spent:
    """What was asked of AWS: units, requests of the platform, and messages that were delivered to it."""

    writes: float = 0.0
    reads: float = 0.0
    dynamodb: int = 0
    sqs: int = 0
    delivered: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.writes + other.writes,
            self.reads + other.reads,
            self.dynamodb + other.dynamodb,
            self.sqs + other.sqs,
            self.delivered + other.delivered,
        )


class _Forgotten(list[str]):
    """A log that is not kept: the harness must not grow where the platform is watched for growing."""

    def append(self, _: str) -> None:
        pass


def sums_only() -> SharedMeter:
    """A meter that keeps sums alone."""
    meter = SharedMeter()
    meter.log = _Forgotten()
    return meter


def spent(meter: SharedMeter, delivered: int = 0) -> Spent:
    """What a meter has counted."""
    lines = dict(meter.lines)
    sqs = sum(line.requests for name, line in lines.items() if name.startswith("sqs"))
    others = sum(line.requests for name, line in lines.items() if name.startswith("s3"))
    return Spent(
        writes=sum(line.writes + line.refused for line in lines.values()),
        reads=sum(line.reads for line in lines.values()),
        dynamodb=sum(line.requests for line in lines.values()) - sqs - others,
        sqs=sqs,
        delivered=delivered,
    )


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        self.seen[f"{record.getMessage()}: {getattr(record, 'error', '')}"] += 1


class Worker:
    """The pumps of one process, from its start to its end."""

    def __init__(self, env: dict[str, str], endpoint: str, marks: Marks) -> None:
        self._env = env
        self._endpoint = endpoint
        self._functions = functions(marks)
        self.meter = sums_only()
        self._session = EmulatorSession(endpoint)
        self.meter.install(self._session)
        self.delivered = 0
        settings = config.load(env)
        nudges = Nudges()
        nudges.install()
        self.pumps = []
        for url, queue, batch, workers in (
            (settings.queue_events_url, QueueName.EVENTS, _EVENT_BATCH, _EVENT_WORKERS),
            (settings.queue_work_url, QueueName.WORK, _WORK_BATCH, _WORK_WORKERS),
        ):
            arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{url.rsplit('/', 1)[1]}"
            source = Source(url, arn, f"load-{queue.value}", batch, workers, _TIMEOUT_S)
            handler = deliveries.on_events if queue is QueueName.EVENTS else deliveries.on_work
            pump = Pump(endpoint, source, self._handler(handler))
            nudges.register(url, pump.nudge)
            self.pumps.append(pump)

    def _handler(self, handle: Any) -> Any:
        platforms: dict[int, Platform] = {}

        def deliver(event: dict[str, Any], context: LambdaContext) -> Any:
            me = threading.get_ident()
            if me not in platforms:
                registry = Registry(self._functions)
                platforms[me] = wiring.build(config.load(self._env), registry=registry, session=self._session)
            self.delivered += len(event["Records"])
            return handle(platforms[me], event, context)

        return deliver


def work(env: dict[str, str], endpoint: str, folder: str, number: int, orders: Connection) -> None:
    """The process's main function: it works until it is told to stop, and answers with what it spent and its errors."""
    errors = _Errors()
    logger = logging.getLogger("stepwell")
    logger.handlers, logger.propagate = [errors], False
    worker = Worker(env, endpoint, Marks(Path(folder) / f"marks-{number}"))
    for pump in worker.pumps:
        pump.start()
    orders.send("ready")
    orders.recv()
    for pump in worker.pumps:
        pump.stop(0)
    busy = sum(pump.stop(_STOP_WITHIN_S) for pump in worker.pumps)
    orders.send((spent(worker.meter, worker.delivered), errors.seen, busy))
