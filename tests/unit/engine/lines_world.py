"""Deliveries that take places, side by side: each is a thread that stops before every call to the world, and goes on
when the schedule says so. What they run is engine.concurrency itself; tables, queue and clock are in memory."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

from chalicelib.core.concurrency import Claim, LimitKey, Slot, Waiter, Woken
from chalicelib.core.function_pauses import FunctionPause, Paused, Registered
from chalicelib.core.messages import ResumeMessage
from chalicelib.engine import concurrency, lines, pausing
from chalicelib.engine.concurrency import Places
from chalicelib.engine.line_ports import LINE_SHARDS, Line
from chalicelib.engine.services import Services

LEASE_MS = 130_000
VISIBLE_AGAIN_MS = 150_000


class Died(BaseException):
    """The process of a delivery is gone: nothing catches it."""


@dataclass
class Message:
    run: str
    visible_at: int = 0
    woken: Woken | None = None
    resume: ResumeMessage | None = None


@dataclass
class Lease:
    nonce: str
    until_ms: int
    version: int = 0


class Delivery:
    """A thread that runs while it is let, and else stands still before its next call."""

    def __init__(self, work: Callable[[], None], nonce: str) -> None:
        self.nonce = nonce
        self.calls = 0
        self.is_over = False
        self.is_to_die = False
        self.error: BaseException | None = None
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], None]) -> None:
        self._go.acquire()
        try:
            work()
        except Died:
            pass
        except BaseException as error:
            self.error = error
        self.is_over = True
        self._stopped.release()

    def step(self) -> None:
        """Until the next call."""
        self._go.release()
        self._stopped.acquire()
        if self.error is not None:
            raise self.error

    def kill(self) -> None:
        self.is_to_die = True
        while not self.is_over:
            self.step()

    def stop(self) -> None:
        """Called by the thread itself, before it does anything to the world."""
        self.calls += 1
        self._stopped.release()
        self._go.acquire()
        if self.is_to_die:
            raise Died


@dataclass
class LinesWorld:
    """Runs whose turns need places: `needs` says of each run which keys, `limits` how many places each key has. A run
    ends when it has been executed `turns` times."""

    needs: dict[str, tuple[str, ...]]
    limits: dict[str, int]
    now_ms: int = 1_800_000_000_000
    slots_of: dict[LimitKey, dict[int, Slot]] = field(default_factory=dict)
    line_of: dict[LimitKey, dict[tuple[int, str], Waiter]] = field(default_factory=dict)
    lines_there: dict[LimitKey, str] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    queue: list[Message] = field(default_factory=list)
    running: list[Delivery] = field(default_factory=list)
    holding: dict[str, tuple[str, ...]] = field(default_factory=dict)
    most: Counter[str] = field(default_factory=Counter)
    entered: list[str] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    # Which functions are paused, and what the only process knows of that.
    there: Registered = field(default_factory=Registered)
    known: Registered = field(default_factory=Registered)
    must_wait: dict[str, int] = field(default_factory=dict)
    _nonces: int = 0
    _current: Delivery | None = None

    def __post_init__(self) -> None:
        config = SimpleNamespace(
            flow=SimpleNamespace(concurrency=[SimpleNamespace(limit=limit) for limit in self.limits.values()]),
            driver="in_process",
        )
        self.services = cast(
            Services,
            SimpleNamespace(
                lines=_Lines(self),
                queues=SimpleNamespace(send_work=self.send, send_events=self.send_resume),
                clock=SimpleNamespace(now_ms=lambda: self.now_ms),
                metrics=SimpleNamespace(count=lambda *_: None),
                catalog=_Catalog(self, config),
                chance=SimpleNamespace(entropy=lambda: bytes(10)),
            ),
        )

    # What the calls of deliveries do, each in one piece.
    def stop(self) -> None:
        if self._current is not None:
            self._current.stop()

    def send(self, message: Any) -> None:
        self.stop()
        self.sent[message.run_id] += 1
        self.queue.append(Message(message.run_id, self.now_ms, message.woken))

    def send_resume(self, messages: list[Any]) -> None:
        self.stop()
        self.queue += [Message("", self.now_ms, resume=message) for message in messages]

    def start(self, run: str) -> None:
        self.queue.append(Message(run, self.now_ms))

    # The schedule.
    def visible(self) -> list[Message]:
        return [message for message in self.queue if message.visible_at <= self.now_ms]

    def deliver(self, message: Message) -> None:
        """A message is taken; it comes again unless it is acknowledged."""
        message.visible_at = self.now_ms + VISIBLE_AGAIN_MS
        self._nonces += 1
        nonce = f"n{self._nonces}"
        work = self._turn if message.resume is None else self._resume
        delivery = Delivery(lambda: work(message, nonce), nonce)
        if self.known.paused:
            self.must_wait[nonce] = self.known.pauses
        self.running.append(delivery)

    def ask(self, act: Callable[[Services, Any, str], None]) -> None:
        """The API pauses or resumes the function."""
        self._nonces += 1
        self.running.append(Delivery(lambda: act(self.services, _Apps(self), "fn"), f"n{self._nonces}"))

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
        self.holding.pop(delivery.nonce, None)
        self.running.remove(delivery)

    def sweep(self) -> None:
        lines.sweep(self.services, self.now_ms + 60_000)

    def _resume(self, message: Message, _nonce: str) -> None:
        assert message.resume is not None
        pausing.go_on(self.services, cast(Any, _Apps(self)), message.resume)
        self._acknowledge(message)

    def _turn(self, message: Message, nonce: str) -> None:
        """As engine.turns: the lease, places, the function, places, the lease."""
        run = message.run
        self.stop()
        if run in self.ended:
            self._places(message, nonce).leave()
            self._acknowledge(message)
            return
        lease = self.leases.get(run)
        if lease is not None and lease.until_ms >= self.now_ms:
            lease.version += 1
            self._acknowledge(message)
            return
        mine = Lease(nonce, self.now_ms + LEASE_MS)
        self.leases[run] = mine
        seen = [0]

        def give_up() -> bool:
            self.stop()
            if self.leases.get(run) is not mine:
                raise Died
            if mine.version != seen[0]:
                seen[0] = mine.version
                return False
            del self.leases[run]
            return True

        places = self._places(message, nonce)
        if places.enter(give_up):
            self._execute(run, nonce)
            places.give_back()
            self.leases.pop(run, None) if self.leases.get(run) is mine else None
        self._acknowledge(message)

    def _execute(self, run: str, nonce: str) -> None:
        assert run not in self.ended
        assert self.must_wait.get(nonce) != self.there.pauses, "it was entered though it was known to be paused"
        self.entered.append(run)
        self.holding[nonce] = self.needs[run]
        for key in self.limits:
            self.most[key] = max(self.most[key], sum(key in keys for keys in self.holding.values()))
        self.stop()
        self.ended.add(run)
        del self.holding[nonce]

    def _acknowledge(self, message: Message) -> None:
        self.stop()
        self.queue.remove(message)

    def _places(self, message: Message, nonce: str) -> Places:
        names = list(self.limits)
        claims = tuple(
            Claim(self.key(name), self.limits[name], names.index(name), "") for name in sorted(self.needs[message.run])
        )
        standing = concurrency._Standing(message.run, None, "fn", self.order_us(message.run), 0, 0)
        return Places(self.services, claims, standing, nonce, self.now_ms + LEASE_MS, message.woken)

    def key(self, name: str) -> LimitKey:
        return LimitKey(fn_id="fn", digest=name)

    def order_us(self, run: str) -> int:
        return list(self.needs).index(run)

    def left_over(self) -> list[object]:
        """What must not be there when all is over."""
        return [slot for slots in self.slots_of.values() for slot in slots.values()] + [
            waiter for line in self.line_of.values() for waiter in line.values()
        ]


class _Apps:
    """What engine.pausing needs of engine.app_ports.Apps."""

    def __init__(self, world: LinesWorld) -> None:
        self._w = world

    def registered(self) -> Registered:
        self._w.stop()
        return self._w.there

    def set_paused(self, paused: Paused, *, seen: int) -> bool:
        self._w.stop()
        if seen != self._w.there.pauses:
            return False
        self._w.there = Registered(0, seen + 1, paused)
        return True


class _Catalog:
    """What is known stays known until somebody looks anew."""

    def __init__(self, world: LinesWorld, config: SimpleNamespace) -> None:
        self._w = world
        self._config = config

    def catch_up(self, _accepted_at_ms: int) -> None:
        pass

    def get(self, _fn_id: str) -> SimpleNamespace:
        return self._config

    def pause_of(self, fn_id: str, *, anew: bool = False) -> FunctionPause | None:
        if anew:
            self._w.stop()
            self._w.known = self._w.there
        return self._w.known.paused.get(fn_id)


class _Lines:
    """engine.line_ports.Lines in memory; each call is one thing that happens."""

    def __init__(self, world: LinesWorld) -> None:
        self._w = world

    def slots(self, key: LimitKey) -> list[Slot]:
        self._w.stop()
        return list(self._w.slots_of.get(key, {}).values())

    def waiters(self, key: LimitKey, *, limit: int, upto: tuple[int, str] | None = None) -> list[Waiter]:
        self._w.stop()
        line = sorted(self._w.line_of.get(key, {}).items())
        return [waiter for place, waiter in line if upto is None or place <= upto][:limit]

    def take(self, key: LimitKey, slot: Slot, now_ms: int) -> bool:
        self._w.stop()
        slots = self._w.slots_of.setdefault(key, {})
        there = slots.get(slot.index)
        if there is not None and there.is_live(now_ms) and there.holder != slot.holder:
            return False
        slots[slot.index] = slot
        return True

    def take_over(self, key: LimitKey, slot: Slot) -> bool:
        self._w.stop()
        slots = self._w.slots_of.setdefault(key, {})
        if slot.index not in slots or slots[slot.index].holder != slot.holder:
            return False
        slots[slot.index] = slot
        return True

    def give_back(self, key: LimitKey, slot: Slot) -> None:
        self._w.stop()
        slots = self._w.slots_of.get(key, {})
        there = slots.get(slot.index)
        if there is not None and (there.holder, there.nonce) == (slot.holder, slot.nonce):
            del slots[slot.index]

    def stand(self, key: LimitKey, waiter: Waiter) -> None:
        self._w.stop()
        self._w.line_of.setdefault(key, {})[waiter.place_in_line] = waiter
        self._w.stop()
        self._w.lines_there[key] = waiter.generation

    def leave(self, key: LimitKey, place_in_line: tuple[int, str], attempt: int | None = None) -> None:
        assert attempt is None  # Only turns are played here.
        self._w.stop()
        self._w.line_of.get(key, {}).pop(place_in_line, None)

    def mark_woken(self, key: LimitKey, waiter: Waiter, now_ms: int, _by: str) -> bool:
        self._w.stop()
        line = self._w.line_of.get(key, {})
        there = line.get(waiter.place_in_line)
        if there is None or (there.generation, there.woken_at_ms) != (waiter.generation, waiter.woken_at_ms):
            return False
        line[waiter.place_in_line] = replace(there, woken_at_ms=now_ms)
        return True

    def page(self, key: LimitKey, *, after: tuple[int, str] | None, limit: int) -> list[Waiter]:
        self._w.stop()
        line = sorted(self._w.line_of.get(key, {}).items())
        return [waiter for place, waiter in line if after is None or place > after][:limit]

    def lines(self, shard: int, *, after: LimitKey | None, limit: int) -> list[Line]:
        if after is not None:
            return []
        found = [Line(key, stamp) for key, stamp in self._w.lines_there.items()]
        return [line for number, line in enumerate(found) if number % LINE_SHARDS == shard][:limit]

    def forget(self, line: Line) -> None:
        if self._w.lines_there.get(line.key) == line.stamp:
            del self._w.lines_there[line.key]
