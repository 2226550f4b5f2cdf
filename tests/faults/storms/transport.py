"""A world in which queues, senders, schedules and processes misbehave as a seed says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.core import limits
from chalicelib.engine import collect, tick
from chalicelib.wiring import Platform
from tests.faults.emulator import DEAD, LIVE, Emulator
from tests.faults.storms.history import described, said
from tests.faults.storms.processes import QUEUES, Frame, StormyProcesses
from tests.faults.storms.weather import CALM, Fault
from tests.faults.world import NotAtRest

_MOST_ROUNDS = 3_000
# Senders of one after the other wait for longer than clocks differ: which came first is then no question.
_BETWEEN_SENDERS_MS = 12_000
_COLLECT_EVERY_MS = 5 * limits.MINUTE_MS
_LEFT_LYING_MS = 3 * limits.MINUTE_MS
# So many of those that were acknowledged last come again at once.
_WINDOW = 30


@dataclass
class _Clockwork:
    """What has to do with time."""

    no_tick_before_ms: int = 0
    collected_at_ms: int = 0
    held_back: set[str] = field(default_factory=set)


class StormWorld(StormyProcesses):
    """Delivers as the weather says. `begin_next` is asked after each event that a script sends, and may play another
    script then."""

    def __init__(
        self, emulator: Emulator, functions: Sequence[Any], *, begin_next: Callable[[StormWorld], None], **options: Any
    ) -> None:
        # Messages that were among the dead letters.
        self.buried: list[str] = []
        self.pictures: list[dict[str, list[str]]] = []
        self._begin_next = begin_next
        self._told = 0
        self._clockwork = _Clockwork()
        super().__init__(emulator, functions, **options)

    # Between queues and handlers.
    def receive(self, kind: str, most: int) -> list[dict[str, Any]]:
        records = super().receive(kind, most)
        for record in records:
            record["messageId"] = self._names.setdefault(record["messageId"], f"m{len(self._names) + 1}")
        return records

    def deliver(self, kind: str) -> bool:
        if self._hits(Fault.REORDERED):
            self._shuffle(QUEUES[kind])
        most = 10 if kind == "events" else 1
        if most > 1 and Fault.REORDERED in self.weather.rates:
            most = self._rng.randint(1, most)
        records = self.receive(kind, most)
        if records:
            self.hand(kind, records)
        return bool(records)

    def hand(self, kind: str, records: list[dict[str, Any]]) -> None:
        self.tell(f"{kind}: {', '.join(map(described, records))}")
        self.monitor.delivered(records)
        self.next_frame = Frame(kind, records)
        super().hand(kind, records)
        # Those of handlers in mid-work have been told by then.
        told, self._told = self._told, len(self.results)
        for result in self.results[told:]:
            if "error" in result or result["batchItemFailures"]:
                self.tell(f"not acknowledged: {result.get('error') or result['batchItemFailures']}")

    def acknowledge(self, kind: str, record: dict[str, Any]) -> None:
        if self._hits(Fault.ACK_LOST, record["messageId"]):
            self.acknowledged.append((kind, record["body"]))
            return
        # It may be gone: another delivery of it has been acknowledged.
        with contextlib.suppress(ClientError):
            super().acknowledge(kind, record)

    def _shuffle(self, queue: str) -> None:
        places: dict[int, float] = {}
        self.emulator.reorder(queue, lambda message: places.setdefault(id(message), self._rng.random()))

    def drain(self) -> None:
        for _ in range(_MOST_ROUNDS):
            visible = self.visible()
            if not visible:
                return
            self._meddle()
            visible = self.visible()
            if visible:
                self.deliver(self._rng.choice(visible) if self.weather.rates else visible[0])
        raise NotAtRest(f"not at rest after {_MOST_ROUNDS} deliveries")

    def _meddle(self) -> None:
        """With what lies in the queues."""
        if self._hits(Fault.HELD_BACK):
            message = self._rng.choice(self.emulator.visible())
            self.emulator.hold_back(message, self.now_ms + self._rng.randint(1_000, 90_000))
            self._clockwork.held_back.add(message.id)
            self.tell(said(message.body))
        if self._hits(Fault.COPIED):
            kind = self._rng.choice(self.visible() or ["work"])
            bodies = [message.body for message in self.emulator.visible(QUEUES[kind])]
            if bodies:
                body = self._rng.choice(bodies)
                self.tell(said(body))
                self.put_message(kind, body)
        if self.acknowledged and self._hits(Fault.WINDOW):
            self._again()

    def _again(self) -> None:
        """What was acknowledged of late comes again, and what lies in flight, all at once."""
        window = self.acknowledged[-_WINDOW:]
        self.acknowledged = []
        for kind, body in self._rng.sample(window, len(window)):
            self.put_message(kind, body)
        for queue in LIVE:
            self._shuffle(queue)

    def settle(self) -> None:
        self.drain()
        for _ in range(_MOST_ROUNDS):
            back = [*self.emulator.in_flight(), *self._held_back()]
            if not back:
                return
            self._move_to(int(min(back)) + 1)
            self.drain()
        raise NotAtRest("messages stay in flight")

    def _held_back(self) -> list[int]:
        held = [message for message in self.emulator.messages() if message.id in self._clockwork.held_back]
        return [at for at in map(self.emulator.comes_at_ms, held) if at > self.now_ms]

    # Senders.
    def accept(self, name: str | list[dict[str, Any]], data: dict[str, Any] | None = None, **fields: Any) -> None:
        self._move_to(self.now_ms + _BETWEEN_SENDERS_MS)
        super().accept(name, data, **fields)

    def send(self, name: str | list[dict[str, Any]], data: dict[str, Any] | None = None, **fields: Any) -> None:
        self.accept(name, data, **fields)
        if self._hits(Fault.IMPATIENT):
            for _ in range(self._rng.randrange(6)):
                for kind in self.visible()[:1]:
                    self.deliver(kind)
        else:
            self.settle()
        self._begin_next(self)

    # Time and schedules.
    def _move_to(self, moment_ms: int) -> None:
        super()._move_to(moment_ms)
        if not self.weather.rates or self.now_ms < self._clockwork.collected_at_ms + _COLLECT_EVERY_MS:
            return
        self._clockwork.collected_at_ms = self.now_ms
        if not self._hits(Fault.COLLECT_MISSED):
            self._scheduled("collect", lambda p: collect.collect(p.services, self._deadline_ms()))
            if self._hits(Fault.COLLECT_DOUBLED):
                self._scheduled("collect", lambda p: collect.collect(p.services, self._deadline_ms()))

    def _advance_ms(self, by_ms: int) -> None:
        target = self.now_ms + by_ms
        while self.now_ms < target:
            # What an impatient sender left behind does not lie in the queue for hours.
            most = _LEFT_LYING_MS if self.visible() else by_ms
            self._move_to(min(self._next_ms(), target, self.now_ms + most))
            self.settle()

    def tick(self) -> None:
        if self._hits(Fault.TICK_MISSED):
            self._clockwork.no_tick_before_ms = self.now_ms + self._rng.randint(1, 10) * limits.MINUTE_MS
            return
        for _ in range(2 if self._hits(Fault.TICK_DOUBLED) else 1):
            self._scheduled("tick", lambda p: tick.tick(p.services, self._deadline_ms()))

    def collect(self) -> None:
        self._scheduled("collect", lambda p: collect.collect(p.services, self._deadline_ms()))
        self.settle()

    def _scheduled(self, what: str, work: Callable[[Platform], object]) -> None:
        while True:
            self.next_frame = Frame(what)
            if self.invoke(work):
                return
            self._pass_ms(limits.MINUTE_MS)

    def _due_for_tick(self) -> list[int]:
        return [] if self.now_ms < self._clockwork.no_tick_before_ms else super()._due_for_tick()

    def _next_ms(self) -> int:
        now, until = self.now_ms, self._clockwork.no_tick_before_ms
        if now >= until:
            return super()._next_ms()
        moments = map(self.emulator.comes_at_ms, self.emulator.messages())
        return min([*(at for at in moments if at > now), until])

    def come_to_rest(self) -> None:
        """Nothing goes wrong any more, what is still to come comes, and an operator redrives the dead letters."""
        self.weather = CALM
        self.tell("calm")
        self.finish()
        self.buried += [message.body for message in self.emulator.messages(*DEAD)]
        if self.buried:
            self.tell(f"redriven: {', '.join(map(said, self.buried))}")
            self.redrive()
        self._advance_ms(2 * limits.HOUR_MS)
        # Lines are swept each minute.
        self.tick()
        self.collect()
        self.finish()
