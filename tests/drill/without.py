"""The same small incident with the defences taken away one by one, to show what each is for.

Only here, by wrapping in this process: the platform has no switch for any of them. Each column has a cloud of its own,
some poison among its events, and every message twice at once and then once more.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from chalicelib.aws.dynamo import Dynamo, Write
from chalicelib.core.errors import InfrastructureError, InvalidExpression
from chalicelib.core.events import Event
from chalicelib.core.pauses import Pause
from chalicelib.engine import match, match_pages, waits
from chalicelib.engine.ports import QueueName
from chalicelib.engine.services import Services
from chalicelib.wiring import Platform
from tests.drill import costs, orders, story
from tests.drill.scene import Scene, scene
from tests.drill.story import INNOCENT, MISTAKE, POISON
from tests.drill.transport import Answer, Gauge, Handler, Transport

# What a step's body takes: a call to somewhere.
_STEP_S = 0.03
_POISONED = 3
_RECEIVES = "3"


@dataclass(frozen=True)
class Comparison:
    """How large each column is. `window_s`: how long each of its three parts may take at most."""

    runs: int
    waits: int
    window_s: float


@dataclass
class Column:
    """What was seen of the platform in one state."""

    runs: int
    deliveries: int = 0
    nacks: Counter[str] = field(default_factory=Counter)
    executed_twice: int = 0
    mistakes: int = 0
    told: int = 0
    as_expected: int = 0
    event_cpu_ms: float = 0.0
    dead: int = 0
    left: int = 0
    took_s: float = 0.0
    came_to_rest: bool = True


@dataclass(frozen=True)
class Defence:
    """A defence, and how to do without it. `shows`: whether a column tells that it is missing."""

    name: str
    missing: Callable[[], contextlib.AbstractContextManager[Any]]
    shows: Callable[[Column, Column], bool]
    wrap: Callable[[Handler], Handler] = lambda handler: handler


@contextlib.contextmanager
def _mistakes_are_faults() -> Iterator[None]:
    """A condition that cannot be used raises like a fault of AWS, so that its message goes back to the queue."""
    registration = waits.registration

    def raising(*arguments: Any, **named: Any) -> Any:
        try:
            return registration(*arguments, **named)
        except InvalidExpression as error:
            raise InfrastructureError(str(error)) from error

    with patch.object(waits, "registration", raising):
        yield


@contextlib.contextmanager
def _last_write_wins() -> Iterator[None]:
    """Every conditional write becomes a plain one: no lease, no marker, no "if absent"."""
    request, transact = Write.request, Dynamo.transact

    def plain(write: Write) -> dict[str, Any]:
        body = request(write)
        body.pop("ConditionExpression", None)
        used = write.update or ""
        for part in ("ExpressionAttributeValues", "ExpressionAttributeNames"):
            kept = {name: value for name, value in body.pop(part, {}).items() if name in used}
            if kept:
                body[part] = kept
        return body

    def without_checks(dynamo: Dynamo, writes: Sequence[Write]) -> None:
        transact(dynamo, [write for write in writes if write.item is not None or write.update is not None])

    with patch.object(Write, "request", plain), patch.object(Dynamo, "transact", without_checks):
        yield


@contextlib.contextmanager
def _every_wait_is_looked_at() -> Iterator[None]:
    """An event is tested against each wait that there is."""

    def meet(s: Services, event: Event, *, is_first: bool) -> None:  # noqa: ARG001
        payload, met, after = event.payload(), [], None
        while True:
            rows, after = s.pauses.scan(after, 1_000)
            met += [pause for pause in rows if _is_met(pause, event, payload)]
            if after is None:
                break
        match.cancel_all(s, [pause for pause in met if pause.step_id is None], event)
        match.resume_all(s, [pause for pause in met if pause.step_id is not None], event)

    with patch.object(match_pages, "meet", meet):
        yield


def _is_met(pause: Pause, event: Event, payload: dict[str, object]) -> bool:
    return costs.holds(pause, event, payload)


def _batches_fail_whole(handler: Handler) -> Handler:
    """One message that fails keeps its whole batch from being acknowledged."""

    def failing(platform: Platform, event: dict[str, Any], context: Any) -> Answer:
        answer = handler(platform, event, context)
        if answer["batchItemFailures"]:
            raise InfrastructureError("a message of the batch failed")
        return answer

    return failing


DEFENCES = (
    Defence(
        "user mistakes end the step",
        _mistakes_are_faults,
        lambda without, _: without.nacks[MISTAKE] > 0 and without.told < without.mistakes,
    ),
    Defence("first write wins", _last_write_wins, lambda without, _: without.executed_twice > 0),
    Defence(
        "the index",
        _every_wait_is_looked_at,
        lambda without, shipped: without.event_cpu_ms > 2 * shipped.event_cpu_ms,
    ),
    Defence(
        "messages fail alone",
        contextlib.nullcontext,
        lambda without, _: without.nacks[INNOCENT] > 0,
        _batches_fail_whole,
    ),
)


def compare(size: Comparison, seed: int, say: story.Say) -> tuple[Column, dict[str, Column]]:
    """The column as shipped, and one without each of the defences."""
    say(f"the small incident as shipped: {size.runs} runs, {size.waits:,} waits")
    shipped = _column(size, seed, lambda handler: handler)
    columns = {}
    for defence in DEFENCES:
        say(f"  without: {defence.name}")
        with defence.missing():
            columns[defence.name] = _column(size, seed, defence.wrap)
    return shipped, columns


def _column(size: Comparison, seed: int, wrap: Callable[[Handler], Handler]) -> Column:
    found = Column(size.runs)
    names = orders.names(size.runs)
    with scene(_STEP_S) as ground, Gauge(ground.platform, 1.0) as gauge:
        ground.load_waits(size.waits, lambda _: None)
        began = time.monotonic()
        with ground.transport(wrap, MAX_RECEIVES=_RECEIVES, MATCH_THREADS="1") as transport:
            transport.on_first = Twice(ground).send
            ground.send([orders.placed(name) for name in names[: size.runs // 2]])
            _send_poison(ground)
            ground.send([orders.placed(name) for name in names[size.runs // 2 :]])
            found.came_to_rest &= gauge.rest(size.window_s)
            ground.send([orders.what_follows(name) for name in names])
            found.came_to_rest &= gauge.rest(size.window_s)
            _replay(ground, transport, seed)
            found.came_to_rest &= gauge.rest(size.window_s)
            found.took_s = time.monotonic() - began
            found.left = gauge.now().total
        _look(ground, transport, found)
    return found


class Twice:
    """Puts a copy of each message into its queue at once, so that both may be worked on side by side."""

    def __init__(self, ground: Scene) -> None:
        self._sqs, self._urls = ground.client("sqs"), ground.urls()
        self._lock = threading.Lock()
        self._copies: Counter[str] = Counter()

    def send(self, queue: QueueName, body: str) -> None:
        """Unless the message is such a copy, or poison, which is sent as often as it is meant to come."""
        if POISON in body:
            return
        with self._lock:
            if self._copies[body]:
                self._copies[body] -= 1
                return
            self._copies[body] += 1
            self._sqs.send_message(QueueUrl=self._urls[queue], MessageBody=body)


def _send_poison(ground: Scene) -> None:
    sqs, url = ground.client("sqs"), ground.urls()[QueueName.EVENTS]
    for number in range(_POISONED):
        sqs.send_message(QueueUrl=url, MessageBody=f"{POISON} {number}")


def _replay(ground: Scene, transport: Transport, seed: int) -> None:
    messages = [one for one in transport.record.messages if POISON not in one.body]
    random.Random(seed).shuffle(messages)
    transport.on_first = None
    story.put_back(ground, messages)


def _look(ground: Scene, transport: Transport, found: Column) -> None:
    record = transport.record
    found.deliveries = sum(one.deliveries for one in record.messages)
    story.nacks_of(record, ground.ledger, found.nacks)
    found.executed_twice = ground.ledger.executed_twice()
    found.event_cpu_ms = 1000 * record.cpu_s[QueueName.EVENTS] / max(1, record.handled[QueueName.EVENTS])
    found.dead = sum(ground.platform.services.queues.depth(queue).visible for queue in story.DEAD)
    found.mistakes = sum(orders.kind_of(name) is not None for name in orders.names(found.runs))
    for run in ground.runs():
        order = ground.ledger.order_of.get(run["run_id"], "")
        is_told = run["status"] == "Failed" and run["output"]["name"] == "InvalidExpression"
        found.told += int(is_told)
        found.as_expected += int(bool(order) and run["status"] == story.expected_status(order))
