"""What it costs to find the runs that an event meets, beside what a look at every wait would cost."""

from __future__ import annotations

import time
from dataclasses import dataclass

from chalicelib.core import ids
from chalicelib.core.events import Event
from chalicelib.core.matching import Condition, condition_holds
from chalicelib.core.pauses import Pause, PauseKind, counts_for
from chalicelib.engine import match_pages
from chalicelib.engine.services import Services
from tests.drill import orders
from tests.drill.scene import Scene
from tests.drill.waits import EVENT

_EVENTS = 30
_SAMPLE = 2_000
_PAGE_BYTES = 1_000_000


@dataclass(frozen=True)
class Costs:
    """Per event: reads of the index and CPU (ms), as shipped and as a scan of all `waits` would have them."""

    waits: int
    reads: float
    cpu_ms: float
    sample: int
    scan_cpu_ms: float
    scan_reads: float

    @property
    def cpu_ratio(self) -> float:
        return self.scan_cpu_ms / max(self.cpu_ms, 0.001)


def event_that_meets_nobody(s: Services, number: int) -> Event:
    """As it was accepted."""
    now = s.clock.now_ms()
    data = orders.what_follows(f"unknown-{number}")["data"]
    internal_id = ids.event_id(now, EVENT, number.to_bytes(10, "big"))
    return Event(
        internal_id=internal_id,
        received_at_us=now * 1000,
        id=internal_id,
        name=EVENT,
        data=data,
        ts=now,
        source="http",
    )


def measure(scene: Scene, waits: int) -> Costs:
    """Match some events as on_event does, and look at a sample of the waits one by one."""
    s = scene.make_platform(MATCH_THREADS="1").services
    match_pages.meet(s, event_that_meets_nobody(s, 0), is_first=True)
    scene.meter.reset()
    began = time.thread_time()
    for number in range(1, _EVENTS + 1):
        match_pages.meet(s, event_that_meets_nobody(s, number), is_first=True)
    cpu_ms = (time.thread_time() - began) * 1000 / _EVENTS
    reads = scene.meter.requests("read: query pauses") / _EVENTS
    cpu_of_one, bytes_of_one, sample = _look_at_each(s)
    return Costs(waits, reads, cpu_ms, sample, cpu_of_one * waits, -(-bytes_of_one * waits // _PAGE_BYTES))


def _look_at_each(s: Services) -> tuple[float, float, int]:
    """What a wait costs that is read and tested, its size, and how many were."""
    event = event_that_meets_nobody(s, 0)
    payload, looked_at, size, after = event.payload(), 0, 0, None
    began = time.thread_time()
    while looked_at < _SAMPLE:
        rows, after = s.pauses.scan(after, 1_000)
        for pause in rows:
            holds(pause, event, payload)
        looked_at += len(rows)
        if after is None:
            break
    cpu_ms = (time.thread_time() - began) * 1000
    size = sum(len(pause.model_dump_json(exclude_defaults=True)) for pause in rows)
    return cpu_ms / max(1, looked_at), size / max(1, len(rows)), looked_at


def holds(pause: Pause, event: Event, payload: dict[str, object]) -> bool:
    """Whether the event ends the wait, by evaluating its whole condition (programs are cached by their text)."""
    if pause.kind is not PauseKind.WAIT or not counts_for(pause, event):
        return False
    condition = None if pause.condition is None else Condition.from_json(pause.condition)
    return condition_holds(condition, payload).value is True
