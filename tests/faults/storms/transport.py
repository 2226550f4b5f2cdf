"""A world in which messages, calls, processes and clocks misbehave as a seed says."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, ConnectionClosedError

from chalicelib.core import limits
from chalicelib.core.errors import InfrastructureError
from chalicelib.engine import collect, tick
from chalicelib.wiring import Platform
from tests.faults.emulator import DEAD, LIVE, Emulator
from tests.faults.injector import READS, Answer, Call, Refusal
from tests.faults.rules import conflicts, small_pages
from tests.faults.storms.history import History, described, said
from tests.faults.storms.monitor import Monitor, StormWatch
from tests.faults.storms.weather import CALM, DISRUPTIVE, MOST, Fault, Weather
from tests.faults.world import NotAtRest, World

_MOST_ROUNDS = 3_000
# Handlers inside of one another, each between two calls of the next.
_MOST_AT_WORK = 3
# Two clocks differ by less than what is allowed for (limits.CLOCK_SKEW_MS).
_MOST_SKEW_MS = 4_000
# Senders of one after the other wait for longer than clocks differ: which came first is then no question.
_BETWEEN_SENDERS_MS = 12_000
_COLLECT_EVERY_MS = 5 * limits.MINUTE_MS
_LEFT_LYING_MS = 3 * limits.MINUTE_MS
# Botocore tries a call so often.
_TRIES = 4
_REFUSALS = (
    Refusal(400, "ProvisionedThroughputExceededException"),
    Refusal(500, "InternalServerError"),
    Refusal(503, "ServiceUnavailable"),
)
_KIND_OF_QUEUE = dict(zip(("events", "work"), LIVE, strict=True))


@dataclass
class Frame:
    """An invocation: what it is for, what it was handed, and whether anything in it was disturbed."""

    what: str
    records: Sequence[dict[str, Any]] = ()
    disturbed: bool = False

    @property
    def is_of_queue(self) -> bool:
        return self.what in _KIND_OF_QUEUE


@dataclass
class _Refusing:
    """The next calls of an operation are refused."""

    operation: str
    refusal: Refusal
    left: int


@dataclass
class _Clockwork:
    """What has to do with time."""

    no_tick_before_ms: int = 0
    collected_at_ms: int = 0
    held_back: set[str] = field(default_factory=set)


class StormWorld(World):
    """Delivers as the weather says. `begin_next` is asked after each event that a script sends, and may play another
    script then."""

    def __init__(
        self,
        emulator: Emulator,
        functions: Sequence[Any],
        *,
        weather: Weather,
        rng: Random,
        begin_next: Callable[[StormWorld], None],
        **options: Any,
    ) -> None:
        self.weather = weather
        self.history = History()
        self.frames: list[Frame] = []
        self.disruptions = 0
        # Messages that were among the dead letters.
        self.buried: list[str] = []
        self.pictures: list[dict[str, list[str]]] = []
        self._rng = rng
        self._begin_next = begin_next
        self._next_frame: Frame | None = None
        self._others: dict[int, Platform] = {}
        self._names: dict[str, str] = {}
        self._told = 0
        self._refusing: _Refusing | None = None
        self._clockwork = _Clockwork()
        self.storm_watch = StormWatch(emulator)
        self.monitor = Monitor(emulator, [function.config for function in functions])
        super().__init__(emulator, functions, watch=self.storm_watch, **options)
        self.injector.rules.append(self._at_call)

    # What happens, and whether it does.
    def _hits(self, fault: Fault, where: str = "") -> bool:
        rate = self.weather.rates.get(fault, 0.0)
        if not rate or self._rng.random() >= rate or self.history.faults[fault] >= MOST.get(fault, sys.maxsize):
            return False
        if fault in DISRUPTIVE:
            if self.disruptions >= self.weather.most_disruptions:
                return False
            self.disruptions += 1
        for frame in self.frames[-1:]:
            frame.disturbed = True
        self.history.fault(self.now_ms, len(self.frames), fault, where)
        return True

    def tell(self, text: str) -> None:
        self.history.tell(self.now_ms, len(self.frames), text)

    # Invocations, perhaps inside of another one.
    def invoke(self, work: Callable[[Platform], object]) -> bool:
        frame, self._next_frame = self._next_frame or Frame("request"), None
        if not frame.is_of_queue:
            self.tell(frame.what)
        outer, step, depth = self.platform, self.last_step, len(self.frames)
        if depth:
            self.platform, self.last_step = self._others.get(depth) or self._boot(), None
        self.frames.append(frame)
        self._set_clock()
        try:
            return super().invoke(work)
        except InfrastructureError as error:
            if frame.is_of_queue or not frame.disturbed:
                raise
            self.tell(f"answered: {error}")
            return False
        finally:
            self.frames.pop()
            self._refusing = None
            if frame.is_of_queue and frame.disturbed:
                self.monitor.failed(frame.records)
            if depth:
                self._others[depth] = self.platform
                self.platform, self.last_step = outer, step

    def _set_clock(self) -> None:
        clock = self.platform.clock
        skew_ms = 0
        if self._hits(Fault.SKEWED):
            skew_ms = self._rng.randint(-_MOST_SKEW_MS, _MOST_SKEW_MS)
            self.tell(f"by {skew_ms:+} ms")
        clock.advance(skew_ms - clock.offset_ms)

    # Between a handler and AWS.
    def _at_call(self, call: Call, carry_out: Answer) -> AWSResponse | None:
        where = f"call {call.number} {call.name}"
        refused = self._refused(call, where)
        if refused is not None:
            return refused
        self._between_calls(where)
        self._perhaps_die(Fault.DIED_BEFORE, where)
        is_read = call.operation in READS
        if not is_read and self._hits_in_queue(Fault.DIED_AFTER, where):
            carry_out(call)
            self.injector.die()
        if self._hits(Fault.ANSWER_LOST, where):
            carry_out(call)
            raise ConnectionClosedError(endpoint_url=call.request.url)
        if call.service == "dynamodb" and self._pages(call) and self._hits(Fault.SMALL_PAGE, where):
            return small_pages(call, carry_out)
        return None

    @staticmethod
    def _pages(call: Call) -> bool:
        return call.operation in ("Query", "BatchGetItem", "BatchWriteItem")

    def _refused(self, call: Call, where: str) -> AWSResponse | None:
        refusing = self._refusing
        if refusing is not None and refusing.left and call.name == refusing.operation:
            refusing.left -= 1
            return refusing.refusal.response(call)
        if call.operation == "TransactWriteItems" and self._hits(Fault.CONFLICT, where):
            return conflicts(len(call.body["TransactItems"])).response(call)
        for fault, most in ((Fault.THROTTLED, _TRIES - 2), (Fault.REFUSED, _TRIES - 1)):
            hits = self._hits if fault is Fault.THROTTLED else self._hits_in_queue
            if hits(fault, where):
                if fault is Fault.REFUSED:
                    # As if it died: what ran and is not recorded by now runs again.
                    self.watch.crashed(self.last_step, self.executions)
                refusal = self._rng.choice(_REFUSALS)
                # With this one, as many as botocore bears, or all that it tries.
                self._refusing = _Refusing(call.name, refusal, most)
                return refusal.response(call)
        return None

    def _hits_in_queue(self, fault: Fault, where: str) -> bool:
        """Only handlers of messages die and give up: what a client or a schedule does then is theirs."""
        return self.frames[-1].is_of_queue and self._hits(fault, where)

    def _perhaps_die(self, fault: Fault, where: str) -> None:
        if self._hits_in_queue(fault, where):
            self.injector.die()

    def _between_calls(self, where: str) -> None:
        """Time passes, and others are at work, too."""
        if self._hits(Fault.SLOW, where):
            self._pass_ms(self._rng.randint(100, 9_000))
        if len(self.frames) >= _MOST_AT_WORK:
            return
        visible = self._visible()
        if visible and self._hits(Fault.OVERLAPPED, where):
            self.deliver(self._rng.choice(visible))
        frame = self.frames[-1]
        if not frame.is_of_queue:
            return
        record = frame.records[self._rng.randrange(len(frame.records))] if len(frame.records) > 1 else frame.records[0]
        if self._hits(Fault.REDELIVERED, where):
            self._deliver_again(frame.what, record)
        if frame.what == "work" and self._hits(Fault.EXPIRED, where):
            self._expire(record)
            self._deliver_again(frame.what, record)

    def _expire(self, record: dict[str, Any]) -> None:
        """Until its visibility has run out, and with it the invocation's time and its lease."""
        self.watch.crashed(self.last_step, self.executions)
        self.monitor.expired()
        until = [self.emulator.comes_at_ms(message) for message in self._messages_of(record)]
        self._pass_ms(max(0, max(until, default=0) - self.now_ms) + 1_000)

    def _deliver_again(self, kind: str, record: dict[str, Any]) -> None:
        found = self._messages_of(record)
        if not found:
            return
        self.emulator.show(found[0])
        self.emulator.reorder(_KIND_OF_QUEUE[kind], lambda message: float(message is not found[0]))
        records = self.receive(kind, 1)
        if records:
            self.hand(kind, records)

    def _messages_of(self, record: dict[str, Any]) -> list[Any]:
        return [message for message in self.emulator.messages() if self._names.get(message.id) == record["messageId"]]

    def _pass_ms(self, ms: int) -> None:
        self.emulator.move_to(self.now_ms + ms)

    # User code.
    def ran(self, run_id: str, step: str) -> None:
        super().ran(run_id, step)
        if not self.injector.is_armed:
            return
        where = f"step {step} of {run_id[-6:]}"
        self.tell(where)
        with self.monitor.running(run_id, step):
            self._between_calls(where)
            self._perhaps_die(Fault.DIED_IN_STEP, where)

    # The transport.
    def receive(self, kind: str, most: int) -> list[dict[str, Any]]:
        records = super().receive(kind, most)
        for record in records:
            # Names that are the same each time a seed is played.
            record["messageId"] = self._names.setdefault(record["messageId"], f"m{len(self._names) + 1}")
        return records

    def deliver(self, kind: str) -> bool:
        if self._hits(Fault.REORDERED):
            self._shuffle(_KIND_OF_QUEUE[kind])
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
        self._next_frame = Frame(kind, records)
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

    def _visible(self) -> list[str]:
        return [kind for kind, queue in _KIND_OF_QUEUE.items() if self.emulator.has_visible(queue)]

    def drain(self) -> None:
        for _ in range(_MOST_ROUNDS):
            visible = self._visible()
            if not visible:
                return
            self._meddle()
            visible = self._visible()
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
            kind = self._rng.choice(self._visible() or ["work"])
            bodies = [message.body for message in self.emulator.visible(_KIND_OF_QUEUE[kind])]
            if bodies:
                body = self._rng.choice(bodies)
                self.tell(said(body))
                self.put_message(kind, body)
        if self.acknowledged and self._hits(Fault.WINDOW):
            self._again()

    def _again(self) -> None:
        """What was acknowledged of late comes again, and what lies in flight, all at once."""
        window = self.acknowledged[-30:]
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
                for kind in self._visible()[:1]:
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
            most = _LEFT_LYING_MS if self._visible() else by_ms
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
            self._next_frame = Frame(what)
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
        self.collect()
        self.finish()
