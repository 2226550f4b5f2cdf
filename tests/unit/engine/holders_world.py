"""Deliveries that start the runs of a singleton, and end them, side by side. What they run is engine.flow, engine.start
and engine.settle themselves; tables, queues and clock are in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, Literal, cast

from chalicelib.core import ids, limits
from chalicelib.core.events import Event
from chalicelib.core.flow_control import Flow
from chalicelib.core.functions import EventTrigger, FunctionConfig
from chalicelib.core.records import Effect, EventRecord, EventTimes, Start
from chalicelib.core.runs import Ending, Run, RunHead, RunSeed, RunStatus
from chalicelib.engine import flow, holders, settle, start
from chalicelib.engine.flow_ports import Cell, CellKey
from chalicelib.engine.services import Services
from tests.unit.engine.lines_world import VISIBLE_AGAIN_MS, Delivery

FN = "fn"
Kind = Literal["event", "turn"]


@dataclass
class Message:
    kind: Kind
    name: str
    visible_at: int = 0


@dataclass
class HoldersWorld:
    """Events that start a singleton each; a run begins with its first turn and ends with its second one."""

    mode: Literal["skip", "cancel"]
    now_ms: int = 1_800_000_000_000
    events: dict[str, Event] = field(default_factory=dict)
    records: dict[str, EventRecord] = field(default_factory=dict)
    cells: dict[CellKey, Cell] = field(default_factory=dict)
    heads: dict[str, RunHead] = field(default_factory=dict)
    queue: list[Message] = field(default_factory=list)
    running: list[Delivery] = field(default_factory=list)
    _nonces: int = 0
    _current: Delivery | None = None

    def __post_init__(self) -> None:
        self.config = FunctionConfig(
            id=FN,
            name=FN,
            triggers=(EventTrigger(event="e"),),
            flow=Flow.model_validate({"singleton": {"mode": self.mode}}),
        )
        nothing = SimpleNamespace(remove=lambda *_: None, note_shape=lambda *_: None)
        self.services = cast(
            Services,
            SimpleNamespace(
                cells=_Cells(self),
                runs=_Runs(self),
                events=SimpleNamespace(get=self._get_record, put=self._put_record),
                queues=SimpleNamespace(send_work=self._send_turn, send_events=lambda *_: self.stop()),
                clock=SimpleNamespace(now_ms=lambda: self.now_ms),
                metrics=SimpleNamespace(count=lambda *_: None),
                catalog=SimpleNamespace(get=lambda _: self.config, pause_of=lambda *_, **__: None),
                settings=SimpleNamespace(retention_ms=limits.DAY_MS),
                pauses=nothing,
                timers=nothing,
                signals=nothing,
            ),
        )

    def accept(self) -> str:
        """An event; its run's id."""
        number = len(self.events) + 1
        internal_id = ids.ulid(self.now_ms, number.to_bytes(10, "big"))
        received_at_us = self.now_ms * 1_000 + number
        self.events[internal_id] = Event(
            internal_id=internal_id,
            received_at_us=received_at_us,
            id=internal_id,
            name="e",
            data={},
            ts=self.now_ms,
            source="api",
        )
        self.queue.append(Message("event", internal_id, self.now_ms))
        return ids.run_id(internal_id, FN)

    # What the calls of deliveries do, each in one piece.
    def stop(self) -> None:
        if self._current is not None:
            self._current.stop()

    def _get_record(self, internal_id: str) -> EventRecord | None:
        self.stop()
        return self.records.get(internal_id)

    def _put_record(self, record: EventRecord) -> EventRecord:
        self.stop()
        return self.records.setdefault(record.event.internal_id, record)

    def _send_turn(self, message: Any, delay_s: int = 0) -> None:
        self.stop()
        self.queue.append(Message("turn", message.run_id, self.now_ms + delay_s * 1_000))

    # The schedule.
    def visible(self) -> list[Message]:
        return [message for message in self.queue if message.visible_at <= self.now_ms]

    def deliver(self, message: Message) -> None:
        """A message is taken; it comes again unless it is acknowledged."""
        message.visible_at = self.now_ms + VISIBLE_AGAIN_MS
        self._nonces += 1
        work = self._process if message.kind == "event" else self._turn
        self.running.append(Delivery(lambda: work(message), f"n{self._nonces}"))

    def duplicate(self, message: Message) -> None:
        self.queue.append(replace(message))

    def advance(self, delivery: Delivery) -> None:
        self._current = delivery
        delivery.step()
        self._current = None
        if delivery.is_over:
            self.running.remove(delivery)

    def crash(self, delivery: Delivery) -> None:
        self._current = delivery
        delivery.kill()
        self._current = None
        self.running.remove(delivery)

    def _process(self, message: Message) -> None:
        """As engine.process_event: what is decided, the record, then the start."""
        event = self.events[message.name]
        planned = Start(fn_id=FN, run_id=ids.run_id(event.internal_id, FN))
        decided = flow.admit(self.services, self.config, event, planned)
        record = EventRecord(event=event, starts=(decided,), processed_at_ms=self.now_ms)
        stored = self.services.events.put(record)
        if stored is not record:
            holders.undo(self.services, record.starts, stored.starts)
        if stored.starts[0].is_live:
            times = EventTimes(recorded_ms=self.now_ms, matched_ms=self.now_ms)
            start.begin(self.services, event, stored.starts[0], times, invoker=None, cron=None)
        self._acknowledge(message)

    def _turn(self, message: Message) -> None:
        """As engine.turns: a run that has ended is settled; one that has not begins, or ends."""
        run_id = message.name
        self.stop()
        head = self.heads[run_id]
        if head.ending is None and head.begun_at_ms is None:
            self.heads[run_id] = head.model_copy(update={"begun_at_ms": self.now_ms})
            self.services.queues.send_work(cast(Any, SimpleNamespace(run_id=run_id)))
        else:
            if head.ending is None:
                ending = Ending(status=RunStatus.COMPLETED, ended_at_ms=self.now_ms)
                self.services.runs.end(run_id, ending, owner=None)
            settle.settle(self.services, run_id)
        self._acknowledge(message)

    def _acknowledge(self, message: Message) -> None:
        self.stop()
        if message in self.queue:
            self.queue.remove(message)

    # What is to be seen.
    def begun(self) -> list[str]:
        """Runs that have begun and not ended."""
        return [run for run, head in self.heads.items() if head.begun_at_ms is not None and head.ending is None]

    def open(self) -> list[str]:
        return [run for run, head in self.heads.items() if head.ending is None]

    def completed(self) -> list[str]:
        return [run for run, head in self.heads.items() if head.status is RunStatus.COMPLETED]


class _Cells:
    """engine.flow_ports.Cells in memory; each call is one thing that happens."""

    def __init__(self, world: HoldersWorld) -> None:
        self._w = world

    def get(self, key: CellKey) -> Cell | None:
        self._w.stop()
        return self._w.cells.get(key)

    def put(self, key: CellKey, text: str, *, seen: Cell | None, **_: int) -> Cell | None:
        self._w.stop()
        if self._w.cells.get(key) != seen:
            return self._w.cells.get(key)
        self._w.cells[key] = Cell(text, 1 if seen is None else seen.version + 1)
        return self._w.cells[key]

    def remove(self, key: CellKey, seen: Cell) -> bool:
        self._w.stop()
        if self._w.cells.get(key) == seen:
            del self._w.cells[key]
        return key not in self._w.cells


class _Runs:
    """What is needed of engine.run_ports.Runs, in memory; each call is one thing that happens."""

    def __init__(self, world: HoldersWorld) -> None:
        self._w = world

    def create(self, seed: RunSeed, *_: object, **__: object) -> RunHead:
        self._w.stop()
        return self._w.heads.setdefault(seed.run_id, RunHead(seed=seed))

    def head(self, run_id: str) -> RunHead | None:
        self._w.stop()
        return self._w.heads.get(run_id)

    def load(self, run_id: str) -> Run | None:
        self._w.stop()
        head = self._w.heads.get(run_id)
        return None if head is None else Run(head, self._w.events[head.seed.event_id], {})

    def end(self, run_id: str, ending: Ending, **_: object) -> RunHead:
        self._w.stop()
        head = self._w.heads[run_id]
        if head.ending is None:
            self._w.heads[run_id] = head.model_copy(update={"ending": ending})
        return self._w.heads[run_id]

    def cancel_by(self, effect: Effect, ending: Ending) -> RunHead:
        return self.end(effect.run_id, ending, owner=None)

    def mark_settled(self, run_id: str, _expires_at_s: int) -> bool:
        self._w.stop()
        was = self._w.heads[run_id].settled
        self._w.heads[run_id] = self._w.heads[run_id].model_copy(update={"settled": True})
        return not was
