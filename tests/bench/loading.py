"""Waits put into the index of an emulator directly, in the very shape in which runs register them."""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

from botocore.config import Config

from chalicelib.aws.pauses import pause_write
from chalicelib.core import ids, limits
from chalicelib.core.calls import Awaited, Opcode, Operation, WaitOptions
from chalicelib.core.events import Event
from chalicelib.core.pauses import Pause
from chalicelib.core.runs import Run, RunHead, RunSeed
from chalicelib.engine import waits
from chalicelib.wiring import Platform
from tests.bench.meter import EmulatorSession
from tests.bench.waits import EVENT, Kind, trigger

STEP = "until-answered"
TIMEOUT_MS = 30 * limits.DAY_MS
_FN_ID = "bench-loaded"
_PROCESSES = 2
_PART = 2_500


def pauses_of(number: int, kind: Kind, shapes: int, now_ms: int) -> list[Pause]:
    """The rows of the wait that loaded run `number` registers, with shape number modulo `shapes`."""
    assert kind.if_exp is not None
    body = trigger(number)
    asked_ms = now_ms - limits.HOUR_MS
    event_id = ids.event_id(asked_ms, body["name"], hashlib.sha256(b"loaded %d" % number).digest())
    event = Event(internal_id=event_id, received_at_us=asked_ms * 1000, id=event_id, ts=asked_ms, **body)
    seed = RunSeed(
        run_id=ids.run_id(event_id, _FN_ID),
        fn_id=_FN_ID,
        event_id=event_id,
        event_name=event.name,
        trigger_received_at_us=event.received_at_us,
        created_at_ms=asked_ms,
    )
    awaited = Awaited(event=EVENT, if_exp=kind.if_exp.replace("{n}", str(number % shapes)))
    operation = Operation(
        op=Opcode.WAIT_FOR_EVENT,
        id=ids.hashed_step_id(STEP, 0),
        name=STEP,
        wait=WaitOptions(awaited=(awaited,), timeout_ms=TIMEOUT_MS),
    )
    return waits.registration(Run(RunHead(seed=seed), event, {}), operation, None, now_ms, lambda _name: ()).pauses


def load(platform: Platform, endpoint: str, kind: Kind, shapes: int, numbers: range) -> None:
    """Put in the waits of these runs, and register their shapes."""
    now_ms = platform.clock.now_ms()
    for pause in itertools.chain.from_iterable(pauses_of(n, kind, shapes, now_ms) for n in numbers[:shapes]):
        platform.services.pauses.note_shape(pause.event_name, pause.shape, pause.accept_until_ms)
    parts = [numbers[start : start + _PART] for start in range(0, len(numbers), _PART)]
    put = partial(_put, endpoint, platform.config.table_pauses, kind, shapes, now_ms)
    if len(parts) <= 1:
        for part in parts:
            put(part)
        return
    with ProcessPoolExecutor(_PROCESSES, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(put, parts))


def _put(endpoint: str, table: str, kind: Kind, shapes: int, now_ms: int, numbers: range) -> None:
    client = EmulatorSession(endpoint).create_client("dynamodb", config=Config(parameter_validation=False))
    rows = _items(table, kind, shapes, now_ms, numbers)
    while batch := list(itertools.islice(rows, 25)):
        wanted: dict[str, Any] = {table: [{"PutRequest": {"Item": item}} for item in batch]}
        while wanted:
            wanted = client.batch_write_item(RequestItems=wanted).get("UnprocessedItems") or {}


def _items(table: str, kind: Kind, shapes: int, now_ms: int, numbers: range) -> Iterator[dict[str, Any]]:
    for number in numbers:
        for pause in pauses_of(number, kind, shapes, now_ms):
            yield pause_write(table, pause).request()["Item"]
