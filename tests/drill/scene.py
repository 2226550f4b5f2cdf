"""Where a drill takes place: the local cloud in a process of its own; here platforms, workers and a meter."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any
from urllib.parse import urlsplit

import botocore.session

from app import app
from chalicelib import config, wiring
from chalicelib.engine import ingest
from chalicelib.engine.ports import QueueName
from chalicelib.sdk.registry import Registry
from chalicelib.web import dispatch
from chalicelib.web.rest_events import match
from chalicelib.wiring import Platform
from infra.local import cloud
from infra.local.context import LambdaContext
from infra.local.gateway import Request, answer_of, proxy_event
from infra.local.nudge import Nudges
from tests.bench.meter import EmulatorSession, Meter
from tests.drill import waits
from tests.drill.orders import Ledger, order_function
from tests.drill.transport import Handler, Transport

_PART = 2_500
_LOADERS = 2


class DrillFailed(Exception):
    """The drill could not be carried out to its end."""


@dataclass
class SharedMeter(Meter):
    """A meter for several threads, which also knows what was refused.

    A write whose condition does not hold is not in `lines` as units: DynamoDB charges it all the same but the answer
    does not say how much. `refused_units` has the size of what was to be written, or one unit for an update.
    """

    refused: int = 0
    refused_units: float = 0.0
    _lock: Any = field(default_factory=threading.Lock)

    def reset(self) -> None:
        with self._lock:
            super().reset()
            self.refused, self.refused_units = 0, 0.0

    def _note_dynamodb(self, **call: Any) -> None:
        with self._lock:
            super()._note_dynamodb(**call)
            code = str(call["parsed"].get("Error", {}).get("Code", ""))
            if code in ("ConditionalCheckFailedException", "TransactionCanceledException"):
                self.refused += 1
                self.refused_units += _units(call["context"]["stepwell_bench"])

    def _note_other(self, **call: Any) -> None:
        with self._lock:
            super()._note_other(**call)


def _units(request: dict[str, Any]) -> float:
    """What a write of this request takes: one unit for each KB, in a transaction two."""
    if "TransactItems" in request:
        return sum(2 * _units(next(iter(operation.values()))) for operation in request["TransactItems"])
    size = len(json.dumps(request.get("Item", {})))
    return max(1, -(-size // 1024))


@dataclass
class Scene:
    """Everything that the parts of a drill work with. `platform` is the drill's own, as the API's function has it."""

    aws: cloud.Cloud
    session: botocore.session.Session
    meter: SharedMeter
    ledger: Ledger
    platform: Platform
    nudges: Nudges
    errors: Counter[str]

    def make_platform(self, **settings: str) -> Platform:
        """A platform as another process would have it; settings are variables without their prefix."""
        env = self.aws.env | {f"STEPWELL_{name}": value for name, value in settings.items()}
        functions = Registry([order_function(self.ledger)])
        return wiring.build(config.load(env), registry=functions, session=self.session)

    def transport(self, wrap: Callable[[Handler], Handler] = lambda handler: handler, **settings: str) -> Transport:
        """Workers that carry messages as long as it is entered."""
        return Transport(self.aws.endpoint, lambda: self.make_platform(**settings), self.urls(), self.nudges, wrap)

    def urls(self) -> dict[QueueName, str]:
        """Where the two queues are."""
        found = self.platform.config
        return {QueueName.EVENTS: found.queue_events_url, QueueName.WORK: found.queue_work_url}

    def client(self, service: str) -> Any:
        """A client of the drill's own, which the meter does not see."""
        return EmulatorSession(self.aws.endpoint).create_client(service)

    def send(self, events: list[dict[str, Any]]) -> list[str]:
        """Send events as POST /e/KEY does; their ids."""
        accepted = ingest.accept(self.platform.services, self.platform.reception, events)
        if accepted.fault or accepted.refusals:
            raise DrillFailed(f"events were not accepted: {accepted.fault or accepted.refusals[0].error}")
        return list(accepted.ids)

    def api(self, method: str, path: str) -> Any:
        """What the HTTP API answers. Raises DrillFailed unless it is 200."""
        before = dispatch.platform
        dispatch.platform = lambda: self.platform
        try:
            found = match(urlsplit(path).path, app.routes)
            if found is None:
                raise DrillFailed(f"the API has no {path}")
            headers = [("Host", "localhost"), ("Content-Type", "application/json")]
            event = proxy_event(Request(method, path, headers, b""), *found, app.api.binary_types)
            answer = answer_of(app(event, LambdaContext("drill-api", 29.0)))
        finally:
            dispatch.platform = before
        if answer.status != 200:
            raise DrillFailed(f"{method} {path} answered {answer.status}: {answer.body.decode()[:300]}")
        return json.loads(answer.body)

    def runs(self, status: str | None = None) -> list[dict[str, Any]]:
        """All runs, as `GET /v1/runs` shows them page by page."""
        found: list[dict[str, Any]] = []
        query = "limit=100" + (f"&status={status}" if status else "")
        path: str | None = f"/v1/runs?{query}"
        while path is not None:
            page = self.api("GET", path)
            found += page["data"]
            cursor = page["metadata"].get("cursor")
            path = f"/v1/runs?{query}&cursor={cursor}" if cursor else None
        return found

    def load_waits(self, count: int, say: Callable[[int], None]) -> int:
        """Put so many waits of other runs into the index, in processes side by side; how many rows."""
        now, table, done = self.platform.clock.now_ms(), self.platform.config.table_pauses, 0
        waits.register_shapes(self.platform.services, now)
        if count <= _PART:
            return waits.put(self.aws.endpoint, table, range(count), now)
        parts = [range(start, min(start + _PART, count)) for start in range(0, count, _PART)]
        with ProcessPoolExecutor(_LOADERS, get_context("spawn")) as pool:
            futures = [pool.submit(waits.put, self.aws.endpoint, table, part, now) for part in parts]
            for future in futures:
                done += future.result(timeout=600)
                say(done)
        return done


class _Errors(logging.Handler):
    """Counts what the platform logs as an error."""

    def __init__(self, into: Counter[str]) -> None:
        super().__init__(logging.ERROR)
        self._into = into

    def emit(self, record: logging.LogRecord) -> None:
        self._into[record.getMessage()] += 1


@contextlib.contextmanager
def _quiet(errors: Counter[str]) -> Iterator[None]:
    """The platform's log lines are counted instead of printed."""
    logger = logging.getLogger("stepwell")
    before = logger.handlers[:], logger.level, logger.propagate
    logger.handlers, logger.propagate = [_Errors(errors)], False
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before[0], before[2]
        logger.setLevel(before[1])


@contextlib.contextmanager
def scene(step_s: float = 0.0) -> Iterator[Scene]:
    """A cloud that is empty, and gone afterwards."""
    errors: Counter[str] = Counter()
    nudges = Nudges()
    with _quiet(errors), cloud.start() as aws:
        nudges.install()
        try:
            session, meter, ledger = EmulatorSession(aws.endpoint), SharedMeter(), Ledger(step_s)
            meter.install(session)
            functions = Registry([order_function(ledger)])
            platform = wiring.build(config.load(aws.env), registry=functions, session=session)
            yield Scene(aws, session, meter, ledger, platform, nudges, errors)
        finally:
            nudges.uninstall()
