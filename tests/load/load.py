"""The load itself: what each kind asks for alone, a burst, its backlog, a steady stream, and what is left."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from chalicelib import config, wiring
from chalicelib.core.runs import RunStatus
from chalicelib.engine import ingest
from chalicelib.engine.ports import QueueName
from chalicelib.sdk.registry import Registry
from chalicelib.wiring import Platform
from infra.local import cloud
from infra.local.cloud import Cloud
from tests.bench import scenario
from tests.bench.engine import say
from tests.bench.meter import EmulatorSession
from tests.load.report import Told
from tests.load.watch import Look, resident_mb
from tests.load.work import KINDS, Kind, Sent, executed, functions, wanted
from tests.load.worker import Spent, spent, sums_only, work

_BATCH = 10
_LOOK_EVERY_S = 1.0
_ALONE_WITHIN_S = 30.0


class LoadFailed(Exception):
    """The load could not be carried to its end."""


@dataclass(frozen=True)
class Size:
    burst: int
    rate: int
    seconds: int
    workers: int
    rest_within_s: float


def carry(size: Size) -> Told:
    """All of it."""
    say("what each kind asks for alone")
    with cloud.start() as aws:
        alone = {kind.name: _alone(aws, kind) for kind in KINDS}
    with (
        cloud.start() as aws,
        tempfile.TemporaryDirectory() as folder,
        _workers(aws, Path(folder), size.workers) as all_,
    ):
        return Load(aws, Path(folder), size, all_).carry(alone)


def _alone(aws: Cloud, kind: Kind) -> Spent:
    """One of a kind, on a platform that knows its names by then."""
    bench = scenario.start_with(aws, *functions(lambda *_: None))
    for number in (1, 2):
        bench.meter.reset()
        delivered = bench.pump.deliveries
        platform, until = bench.platform, time.monotonic() + _ALONE_WITHIN_S
        for event in kind.sent(number):
            ingest.accept(platform.services, platform.reception, event)
            bench.pump.drain()
        while bench.pump.waiting() or bench.pump.visible() or bench.pump.in_flight():
            if time.monotonic() > until:
                raise LoadFailed(f"{kind.name}, alone, did not come to its end")
            time.sleep(0.1)
            bench.pump.drain()
    lines = bench.meter.lines.values()
    sqs = bench.meter.requests("sqs")
    return Spent(
        writes=sum(line.writes + line.refused for line in lines),
        reads=sum(line.reads for line in lines),
        dynamodb=sum(line.requests for line in lines) - sqs,
        sqs=sqs,
        delivered=bench.pump.deliveries - delivered,
    )


@dataclass(frozen=True)
class _Process:
    pid: int
    orders: Connection

    def stop(self) -> tuple[Spent, Counter[str], int]:
        """Have it end; what it spent, its errors, and how many of its threads did not end."""
        self.orders.send("stop")
        found: tuple[Spent, Counter[str], int] = self.orders.recv()
        return found


@contextlib.contextmanager
def _workers(aws: Cloud, folder: Path, count: int) -> Iterator[list[_Process]]:
    context = get_context("spawn")
    started = []
    try:
        for number in range(count):
            ours, theirs = context.Pipe()
            arguments = (aws.env, aws.endpoint, str(folder), number, theirs)
            process = context.Process(target=work, args=arguments, daemon=True)
            process.start()
            started.append((process, ours))
        for _, ours in started:
            if not ours.poll(60) or ours.recv() != "ready":
                raise LoadFailed("a worker did not start")
        yield [_Process(process.pid or 0, ours) for process, ours in started]
    finally:
        for process, _ in started:
            process.terminate()
            process.join(10)


class Load:
    """What is under way on one cloud."""

    def __init__(self, aws: Cloud, folder: Path, size: Size, workers: list[_Process]) -> None:
        self._folder = folder
        self._size = size
        self._workers = workers
        self._meter = sums_only()
        session = EmulatorSession(aws.endpoint)
        self._meter.install(session)
        self._platform = wiring.build(config.load(aws.env), registry=Registry(functions(print)), session=session)
        # What looks on is not what is measured.
        watching = Registry(functions(print))
        self._watch: Platform = wiring.build(
            config.load(aws.env), registry=watching, session=EmulatorSession(aws.endpoint)
        )
        self._sent = Sent(Counter())
        self._looks: list[Look] = []
        self._began = time.monotonic()

    def carry(self, alone: dict[str, Spent]) -> Told:
        """Burst, backlog, stream, and all that is left at the end."""
        say("burst")
        began = time.monotonic()
        next_look = began
        while self._sent.events < self._size.burst:
            self._send(_BATCH)
            if time.monotonic() >= next_look:
                self._look("burst")
                next_look += _LOOK_EVERY_S
        burst_s, burst_events = time.monotonic() - began, self._sent.events
        say(f"{burst_events:,} events were accepted in {burst_s:.1f} s; their backlog drains")
        self._rest("backlog")
        say(f"steady stream: {self._size.rate} events a second for {self._size.seconds} s")
        self._stream()
        say("what is left drains")
        self._rest("end")
        statuses = self._statuses()
        dead = sum(self._depth(queue) for queue in (QueueName.DEAD_EVENTS, QueueName.DEAD_WORK))
        ended = [worker.stop() for worker in self._workers]
        if any(busy for _, _, busy in ended):
            raise LoadFailed("workers were busy that had nothing to do")
        return Told(
            sent=self._sent,
            executed=executed(self._folder),
            wanted=wanted(self._sent.number),
            looks=self._looks,
            spent=sum((one for one, _, _ in ended), spent(self._meter)),
            alone=alone,
            completed=statuses[RunStatus.COMPLETED],
            not_completed=sum(statuses.values()) - statuses[RunStatus.COMPLETED],
            dead_letters=dead,
            left=self._looks[-1].backlog,
            errors=sum((errors for _, errors, _ in ended), Counter()),
            burst_s=burst_s,
            burst_events=burst_events,
            rate=self._size.rate,
        )

    def _send(self, most: int) -> int:
        """Send some events in one request; how many they were."""
        kinds, events = self._sent.next_batch(most)
        accepted = ingest.accept(self._platform.services, self._platform.reception, events)
        if accepted.fault or accepted.refusals:
            raise LoadFailed(f"events were not accepted: {accepted.fault or accepted.refusals[0].error}")
        self._sent.accepted(kinds)
        return len(events)

    def _stream(self) -> None:
        began, goal = time.monotonic(), 0.0
        for second in range(self._size.seconds):
            goal += self._size.rate
            while goal >= 1:
                goal -= self._send(min(_BATCH, int(goal)))
            self._look("steady")
            time.sleep(max(0.0, began + second + 1 - time.monotonic()))

    def _rest(self, phase: str) -> None:
        """Look on until both queues are empty and no step is missing, or time is up."""
        until = time.monotonic() + self._size.rest_within_s
        calm = 0
        while calm < 3 and time.monotonic() < until:
            look = self._look(phase)
            calm = calm + 1 if look.backlog == 0 else 0
            time.sleep(_LOOK_EVERY_S if look.backlog else 0.2)

    def _look(self, phase: str) -> Look:
        depths = [self._watch.services.queues.depth(queue) for queue in (QueueName.EVENTS, QueueName.WORK)]
        look = Look(
            at_s=time.monotonic() - self._began,
            phase=phase,
            visible=sum(depth.visible for depth in depths),
            in_flight=sum(depth.in_flight for depth in depths),
            delayed=sum(depth.delayed for depth in depths),
            accepted=self._sent.events,
            executed=executed(self._folder).total(),
            resident_mb=resident_mb([worker.pid for worker in self._workers]),
        )
        self._looks.append(look)
        return look

    def _depth(self, queue: QueueName) -> int:
        found = self._watch.services.queues.depth(queue)
        return found.visible + found.in_flight

    def _statuses(self) -> Counter[RunStatus]:
        """How all runs stand."""
        runs = self._watch.services.runs
        found: Counter[RunStatus] = Counter()
        for made in functions(print):
            before = "9" * 15
            while positions := runs.page(made.fn_id, before=before, limit=100):
                found.update(head.status for head in runs.heads([one.split("#")[1] for one in positions]))
                before = positions[-1]
        return found
