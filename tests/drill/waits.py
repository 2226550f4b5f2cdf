"""Other runs' waits: many rows of the pause index, made by the code that registers waits and put in directly."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

from botocore.config import Config

from chalicelib.aws.pauses import pause_write
from chalicelib.core import ids, limits
from chalicelib.core.calls import Awaited, Opcode, Operation, WaitOptions
from chalicelib.core.events import Event
from chalicelib.core.pauses import Pause
from chalicelib.core.runs import Run, RunHead, RunSeed
from chalicelib.engine import waits
from chalicelib.engine.services import Services
from tests.bench.meter import EmulatorSession

EVENT = "drill/order.paid"
# What the others wait for: three forms, so that an event of this name is looked up under three shapes.
CONDITIONS = (
    "async.data.order == event.data.order",
    "async.data.customer == event.data.customer && async.data.amount > 100",
    "async.data.order == event.data.order && async.data.currency == 'EUR'",
)
_FN_ID = "drill-other"
_STEP = ids.hashed_step_id("paid", 0)
_TIMEOUT_MS = 180 * limits.DAY_MS
_BATCH = 25


def pauses_of(number: int, now_ms: int) -> list[Pause]:
    """The rows of the wait that run `number` of the others would register."""
    entropy = hashlib.sha256(b"other %d" % number).digest()
    event_id = ids.event_id(now_ms - limits.HOUR_MS, "drill/other", entropy)
    received_us = (now_ms - limits.HOUR_MS) * 1000
    data = {"order": f"other-{number}", "customer": f"customer-{number}"}
    event = Event(
        internal_id=event_id,
        received_at_us=received_us,
        id=event_id,
        name="drill/other",
        data=data,
        ts=received_us // 1000,
        source="http",
    )
    seed = RunSeed(
        run_id=ids.run_id(event_id, _FN_ID),
        fn_id=_FN_ID,
        event_id=event_id,
        event_name=event.name,
        trigger_received_at_us=received_us,
        created_at_ms=received_us // 1000,
    )
    awaited = Awaited(event=EVENT, if_exp=CONDITIONS[number % len(CONDITIONS)])
    wait = WaitOptions(awaited=(awaited,), timeout_ms=_TIMEOUT_MS)
    operation = Operation(op=Opcode.WAIT_FOR_EVENT, id=_STEP, name="paid", wait=wait)
    return waits.registration(Run(RunHead(seed=seed), event, {}), operation, None, now_ms, lambda _name: ()).pauses


def register_shapes(s: Services, now_ms: int) -> None:
    """Make the shapes of these waits known, as is done before each wait."""
    for pause in (pause for number in range(len(CONDITIONS)) for pause in pauses_of(number, now_ms)):
        s.pauses.note_shape(pause.event_name, pause.shape, pause.accept_until_ms)


def put(endpoint: str, table: str, numbers: range, now_ms: int) -> int:
    """Put the rows of these waits into the index; how many rows. Works in a process of its own."""
    dynamodb = EmulatorSession(endpoint).create_client("dynamodb", config=Config(parameter_validation=False))
    rows = (pause_write(table, pause).request()["Item"] for number in numbers for pause in pauses_of(number, now_ms))
    done = 0
    while batch := list(itertools.islice(rows, _BATCH)):
        wanted: dict[str, Any] = {table: [{"PutRequest": {"Item": item}} for item in batch]}
        while wanted:
            wanted = dynamodb.batch_write_item(RequestItems=wanted).get("UnprocessedItems") or {}
        done += len(batch)
    return done
