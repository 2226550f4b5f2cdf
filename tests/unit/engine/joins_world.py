"""Events that join a debounce or a batch, side by side: each delivery is a thread that stops before every call to the
world, and goes on when the schedule says so. What they run is engine.joining itself; tables, queues and clock are in
memory."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from chalicelib.core import ids, limits
from chalicelib.core.events import Event
from chalicelib.core.joining import Closed, Join, Joined
from chalicelib.core.messages import AnyWorkMessage, JoinDueMessage
from chalicelib.core.records import EventRecord, Start
from chalicelib.core.runs import RunHead, RunSeed
from chalicelib.engine import joining
from chalicelib.engine.flow_ports import Cell, CellKey
from chalicelib.engine.services import Services
from tests.unit.engine.lines_world import Delivery

FN_ID = "fn"
VISIBLE_AGAIN_MS = 40_000


@dataclass
class Message:
    body: EventRecord | JoinDueMessage
    visible_at: int


@dataclass
class Created:
    """A run, and when it was created."""

    seed: RunSeed
    events: tuple[str, ...]


@dataclass
class JoinsWorld:
    how: Join
    now_ms: int = 1_800_000_000_000
    cells: dict[CellKey, Cell] = field(default_factory=dict)
    joined: dict[str, Joined] = field(default_factory=dict)
    closed: dict[str, Closed] = field(default_factory=dict)
    records: dict[str, EventRecord] = field(default_factory=dict)
    runs: dict[str, Created] = field(default_factory=dict)
    queue: list[Message] = field(default_factory=list)
    running: list[tuple[Delivery, Message]] = field(default_factory=list)
    _nonces: int = 0
    _current: Delivery | None = None

    def __post_init__(self) -> None:
        self.services = cast(
            Services,
            SimpleNamespace(
                cells=SimpleNamespace(get=self._get),
                joins=SimpleNamespace(join=self._join, close=self._close, closed=self._closed, remove=self._remove),
                events=SimpleNamespace(get_many=self._records),
                runs=SimpleNamespace(create=self._create),
                queues=SimpleNamespace(send_work=self._send),
                timers=SimpleNamespace(put=lambda _, message: self._send(message)),
                clock=SimpleNamespace(now_ms=lambda: self.now_ms),
                metrics=SimpleNamespace(count=lambda *_: None),
                catalog=SimpleNamespace(get=lambda _: None),
            ),
        )

    # The calls.
    def _stop(self) -> None:
        assert self._current is not None
        self._current.stop()

    def _get(self, key: CellKey) -> Cell | None:
        self._stop()
        return self.cells.get(key)

    def _join(
        self,
        key: CellKey,
        event_id: str,
        joined: Joined,
        text: str,
        *,
        seen: Cell | None,
        closed: list[Closed],
        expires_at_s: int,
    ) -> Joined | Cell | None:
        self._stop()
        if event_id in self.joined:
            return self.joined[event_id]
        if self.cells.get(key) != seen:
            return self.cells.get(key)
        assert expires_at_s * 1000 > self.now_ms + limits.DAY_MS
        self.joined[event_id] = joined
        self._put(key, text, seen, closed)
        return joined

    def _put(self, key: CellKey, text: str, seen: Cell | None, closed: list[Closed]) -> None:
        self.cells[key] = Cell(text, 1 if seen is None else seen.version + 1)
        for one in closed:
            assert one.generation.run_id not in self.closed
            assert one.generation.run_id not in self.runs
            self.closed[one.generation.run_id] = one

    def _close(self, key: CellKey, text: str, closed: Closed, *, seen: Cell, expires_at_s: int) -> Closed | Cell | None:
        self._stop()
        if self.cells.get(key) != seen:
            return self.cells.get(key)
        assert expires_at_s * 1000 > self.now_ms + limits.DAY_MS
        self._put(key, text, seen, [closed])
        return closed

    def _closed(self, run_id: str) -> Closed | None:
        self._stop()
        return self.closed.get(run_id)

    def _remove(self, run_id: str) -> None:
        self._stop()
        self.closed.pop(run_id, None)

    def _records(self, event_ids: tuple[str, ...]) -> list[EventRecord]:
        self._stop()
        return [self.records[event_id] for event_id in event_ids]

    def _create(self, seed: RunSeed, event: Event, *_: Any, rest: list[Event], **__: Any) -> RunHead:
        self._stop()
        if seed.run_id not in self.runs:
            self.runs[seed.run_id] = Created(seed, tuple(one.internal_id for one in (event, *rest)))
        return RunHead(seed=self.runs[seed.run_id].seed)

    def _send(self, message: AnyWorkMessage, *, delay_s: int = 0) -> None:
        self._stop()
        if isinstance(message, JoinDueMessage):
            self.queue.append(Message(message, max(self.now_ms + delay_s * 1000, message.due_ms or 0)))

    # The schedule.
    def accept(self, ts: int, size: int) -> None:
        """An event; its record is written when it joins."""
        number = len(self.records)
        event_id = ids.event_id(self.now_ms, "e", number.to_bytes(8, "big")[::-1])
        event = Event(
            internal_id=event_id,
            received_at_us=self.now_ms * 1000,
            id=event_id,
            name="e",
            data={"text": "x" * size},
            ts=ts,
        )
        start = Start(fn_id=FN_ID, run_id=ids.run_id(event_id, FN_ID), join=self.how)
        record = EventRecord(event=event, starts=(start,), processed_at_ms=self.now_ms)
        self.records[event_id] = record
        self.queue.append(Message(record, self.now_ms))

    def deliver(self, message: Message) -> None:
        """Begin to. It is invisible meanwhile."""
        self._nonces += 1
        body = message.body

        def work() -> None:
            if isinstance(body, JoinDueMessage):
                joining.come_due(self.services, body)
            else:
                joining.join(self.services, body.event, body.starts[0], body)

        message.visible_at = self.now_ms + VISIBLE_AGAIN_MS
        self.running.append((Delivery(work, str(self._nonces)), message))

    def step(self, index: int, *, dies: bool = False) -> None:
        """Let one of the deliveries go on until its next call, or die there. One that is over is acknowledged."""
        delivery, message = self.running[index]
        self._current = delivery
        if dies:
            delivery.kill()
        else:
            delivery.step()
        if delivery.is_over:
            del self.running[index]
            if not dies and message in self.queue:
                self.queue.remove(message)

    def visible(self) -> list[Message]:
        return [message for message in self.queue if message.visible_at <= self.now_ms]

    def come_to_rest(self) -> None:
        """Whatever is left happens, undisturbed."""
        for _ in range(10_000):
            if self.running:
                self.step(0)
            elif visible := self.visible():
                self.deliver(visible[0])
            elif self.queue:
                self.now_ms = min(message.visible_at for message in self.queue)
            else:
                return
        raise AssertionError("it does not come to rest")


def play(world: JoinsWorld, seed: int, events: int, most_size: int) -> None:
    """A schedule of events, deliveries side by side, duplicates, deaths and time that passes; then rest."""
    chance = random.Random(seed)
    begun_ms = world.now_ms
    while len(world.records) < events or chance.random() < 0.9:
        what = chance.random()
        if what < 0.15 and len(world.records) < events:
            world.accept(begun_ms + chance.randrange(60_000), chance.randrange(most_size))
        elif what < 0.4 and len(world.running) < 3 and (visible := world.visible()):
            world.deliver(chance.choice(visible))
        elif what < 0.44 and len(world.running) < 3 and world.queue:
            # A second copy, or one that comes early.
            world.deliver(chance.choice(world.queue))
        elif what < 0.48 and world.running:
            world.step(chance.randrange(len(world.running)), dies=True)
        elif what < 0.9 and world.running:
            world.step(chance.randrange(len(world.running)))
        else:
            world.now_ms += chance.choice((1, 100, 1_000, 4_000))
    world.come_to_rest()
