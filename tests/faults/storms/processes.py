"""Processes that misbehave as a seed says: between two of their calls to AWS time passes, others are at work, and they
are refused, lose answers, or die."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError

from chalicelib.core.errors import InfrastructureError
from chalicelib.wiring import Platform
from tests.faults.emulator import LIVE, Emulator
from tests.faults.injector import READS, Answer, Call, Refusal
from tests.faults.rules import conflicts, small_pages
from tests.faults.storms.history import History
from tests.faults.storms.monitor import Monitor, StormWatch
from tests.faults.storms.weather import DISRUPTIVE, MOST, Fault, Weather
from tests.faults.world import World

QUEUES = dict(zip(("events", "work"), LIVE, strict=True))
# Handlers inside of one another, each between two calls of the next.
_MOST_AT_WORK = 3
# Two clocks differ by less than what is allowed for (limits.CLOCK_SKEW_MS).
_MOST_SKEW_MS = 4_000
# Botocore tries a call so often.
_TRIES = 4
_REFUSALS = (
    Refusal(400, "ProvisionedThroughputExceededException"),
    Refusal(500, "InternalServerError"),
    Refusal(503, "ServiceUnavailable"),
)
_IN_PAGES = frozenset({"Query", "BatchGetItem", "BatchWriteItem"})


@dataclass
class Frame:
    """An invocation: what it is for, what it was handed, whether anything in it was disturbed, and the step that ran
    last before another one began in mid-work. `is_stray`: its time has run out, which it will notice before it begins
    a second step."""

    what: str
    records: Sequence[dict[str, Any]] = ()
    disturbed: bool = False
    last_step: tuple[str, str] | None = None
    is_stray: bool = False

    @property
    def is_of_queue(self) -> bool:
        return self.what in QUEUES


@dataclass
class _Refusing:
    """The next calls of an operation are refused."""

    operation: str
    refusal: Refusal
    left: int


class StormyProcesses(World):
    """Handlers, requests and schedules, each perhaps inside of another one."""

    def __init__(
        self, emulator: Emulator, functions: Sequence[Any], *, weather: Weather, rng: Random, **options: Any
    ) -> None:
        self.weather = weather
        self.history = History()
        self.frames: list[Frame] = []
        self.disruptions = 0
        self.next_frame: Frame | None = None
        self._rng = rng
        self._others: dict[int, Platform] = {}
        # Of messages, the same each time a seed is played.
        self._names: dict[str, str] = {}
        self._refusing: _Refusing | None = None
        several = any(function.checkpoints > 1 for function in options.get("app", ()))
        self.storm_watch = StormWatch(emulator, reports_several=several)
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
        frame, self.next_frame = self.next_frame or Frame("request"), None
        if not frame.is_of_queue:
            self.tell(frame.what)
        outer, step, depth = self.platform, self.last_step, len(self.frames)
        if depth:
            self.frames[-1].last_step = step
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

    def elsewhere(self) -> bool:
        self.frames.append(Frame("elsewhere"))
        try:
            return super().elsewhere()
        finally:
            self.frames.pop()

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
        if call.operation not in READS and self._hits_in_queue(Fault.DIED_AFTER, where):
            carry_out(call)
            self.injector.die()
        if self._hits(Fault.ANSWER_LOST, where):
            carry_out(call)
            raise ConnectionClosedError(endpoint_url=call.request.url)
        if call.operation in _IN_PAGES and self._hits(Fault.SMALL_PAGE, where):
            return small_pages(call, carry_out)
        return None

    def _refused(self, call: Call, where: str) -> AWSResponse | None:
        refusing = self._refusing
        if refusing is not None and call.name == refusing.operation:
            if refusing.left:
                refusing.left -= 1
                return refusing.refusal.response(call)
            # Two in a row would be more than botocore bears.
            self._refusing = None
            return None
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
        if self.visible() and self._hits(Fault.OVERLAPPED, where):
            # Several, one after the other: what one of them sends may come while this one is still at work.
            for _ in range(self._rng.randint(1, 5)):
                visible = self.visible()
                if visible:
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
        """Until its visibility has run out, and with it the time and the leases of all who are at work."""
        for step in (self.last_step, *(frame.last_step for frame in self.frames[:-1])):
            self.watch.crashed(step, self.executions)
        for frame in self.frames:
            frame.is_stray = True
        self.monitor.expired()
        until = [self.emulator.comes_at_ms(message) for message in self._messages_of(record)]
        self._pass_ms(max(0, max(until, default=0) - self.now_ms) + 1_000)

    def _deliver_again(self, kind: str, record: dict[str, Any]) -> None:
        found = self._messages_of(record)
        if not found:
            return
        self.emulator.show(found[0])
        self.emulator.reorder(QUEUES[kind], lambda message: float(message is not found[0]))
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
        if self.frames[-1].is_stray:
            self.watch.extra_allowed[run_id, step] += 1
            self.frames[-1].is_stray = False
        with self.monitor.running(run_id, step):
            self._between_calls(where)
            self._perhaps_die(Fault.DIED_IN_STEP, where)

    def visible(self) -> list[str]:
        """The queues in which a receive would find something."""
        return [kind for kind, queue in QUEUES.items() if self.emulator.has_visible(queue)]
