"""What each mechanism of flow control asks of AWS for a start: every story happens once on the emulator, and is counted
from its event's acceptance until its run has ended and no message is left."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from datetime import timedelta
from typing import Any

from chalicelib.engine import ingest, pausing, tick
from chalicelib.sdk import (
    Batch,
    Concurrency,
    Context,
    Debounce,
    Priority,
    RateLimit,
    Singleton,
    Throttle,
    Timeouts,
    TriggerEvent,
    function,
)
from chalicelib.wiring import Platform
from infra.local.cloud import Cloud
from tests.bench import scenario
from tests.bench.scenario import EVENT, FN_ID, Bench

LIMIT = 10
BATCH = 100
# What is noted of flow control in an event's record must not be what brings it above a kilobyte, and so to two units.
DATA_BYTES = 300
_AT_REST_WITHIN_S = 60
# Paid once a day and process, whatever is configured.
_ONCE = "event name"


@dataclass(frozen=True)
class Spent:
    """What was asked for: units, the platform's own requests, and messages that were delivered to it (for each, Lambda
    receives and deletes, and invokes a function)."""

    writes: float = 0
    reads: float = 0
    dynamodb: float = 0
    sqs: float = 0
    s3: float = 0
    delivered: float = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(*(one + another for one, another in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: Spent) -> Spent:
        return self + other.times(-1)

    def times(self, factor: float) -> Spent:
        """So many times this."""
        return Spent(*(one * factor for one in astuple(self)))


class Story:
    """A function of one step under some flow control, on a platform of its own. Each has a key of its own, too, so that
    none finds what another has left."""

    def __init__(self, aws: Cloud, key: str, **flow: Any) -> None:
        self._bench: Bench = scenario.start_with(aws, self._function(flow))
        self._key = key
        self._during_step: Callable[[], object] | None = None
        self.send(ignored=True)
        self.settle()

    @property
    def platform(self) -> Platform:
        return self._bench.platform

    def _function(self, flow: dict[str, Any]) -> Any:
        # The condition costs nothing, and lets an event come that starts nothing.
        @function(fn_id=FN_ID, trigger=TriggerEvent(event=EVENT, expression="event.data.ignored != true"), **flow)
        def one_step(ctx: Context) -> str:
            if ctx.event.data.get("sleeps"):
                ctx.step.sleep("until-tomorrow", timedelta(days=1))
            return ctx.step.run("a-step", self._step)

        return one_step

    def _step(self) -> str:
        during, self._during_step = self._during_step, None
        if during is not None:
            # As on another machine: nothing of this execution is known there.
            other = threading.Thread(target=during)
            other.start()
            other.join()
        return "done"

    def send(self, **data: Any) -> None:
        """One event, and what its message does."""
        data = {"key": self._key, "d": "", **data}
        data["d"] = "x" * (DATA_BYTES - len(json.dumps(data, separators=(",", ":"))))
        platform = self._bench.platform
        accepted = ingest.accept(platform.services, platform.reception, {"name": EVENT, "data": data})
        assert accepted.ids, accepted.refusals
        assert self._bench.pump.deliver_event()

    def settle(self) -> None:
        """Deliver until nothing is left, delayed messages included."""
        pump, until = self._bench.pump, time.monotonic() + _AT_REST_WITHIN_S
        while True:
            pump.drain()
            if not pump.waiting() and not pump.visible() and not pump.in_flight():
                return
            assert time.monotonic() < until, "messages are left"
            time.sleep(0.05)

    def start(self, **data: Any) -> None:
        """An event, and all that follows."""
        self.send(**data)
        self.settle()

    def count(self, act: Callable[[], object]) -> Spent:
        """What is asked for while this happens."""
        bench = self._bench
        bench.meter.reset()
        delivered = bench.pump.deliveries
        act()
        lines = [(name, line) for name, line in bench.meter.lines.items() if not name.startswith(_ONCE)]
        sqs, s3 = bench.meter.requests("sqs"), bench.meter.requests("s3")
        return Spent(
            writes=sum(line.writes + line.refused for _, line in lines),
            reads=sum(line.reads for _, line in lines),
            dynamodb=sum(line.requests for _, line in lines) - sqs - s3,
            sqs=sqs,
            s3=s3,
            delivered=bench.pump.deliveries - delivered,
        )

    def count_start(self, **data: Any) -> Spent:
        return self.count(lambda: self.start(**data))

    def two_at_once(self) -> None:
        """Two events; the second one's turn comes while the first one's step executes."""
        self.send()
        self.send()
        self._during_step = self._bench.pump.deliver_work
        self.settle()

    def wake_after(self, span: timedelta) -> Spent:
        """Let time pass, and a tick move what is due; what it reads on each of its rounds is not the start's."""
        bench = self._bench
        bench.platform.clock.advance(span // timedelta(milliseconds=1))
        self.count(lambda: tick.tick(bench.platform.services, bench.platform.clock.now_ms() + 60_000))
        removed, sent = bench.meter.lines["BatchWriteItem"], bench.meter.requests("sqs")
        assert sent
        moved = Spent(writes=removed.writes, dynamodb=removed.requests, sqs=sent)
        return moved + self.count(self.settle)


def plain(aws: Cloud) -> Spent:
    """A start without flow control: the baseline."""
    return Story(aws, "plain").count_start()


def stories(aws: Cloud) -> Iterator[tuple[str, Spent]]:
    """What is started or not, and all it asks for."""
    yield "an event that starts nothing", Story(aws, "nothing").count_start(ignored=True)
    yield from _concurrency(aws)
    yield from _admission(aws)
    yield from _throttle(aws)
    yield from _singleton(aws)
    yield from _debounce(aws)
    yield from _batch(aws)
    yield from _timeouts(aws)
    yield "pause: a run that waits until it is resumed", _paused(Story(aws, "paused"))


def _concurrency(aws: Cloud) -> Iterator[tuple[str, Spent]]:
    priority = Priority(run="event.data.paying ? 120 : 0")
    two = [Concurrency(limit=LIMIT), Concurrency(limit=1, key="event.data.key")]
    yield "concurrency: a free place", Story(aws, "free", concurrency=LIMIT).count_start()
    keyed = [Concurrency(limit=LIMIT, key="event.data.key")]
    yield "concurrency: a free place of a key", Story(aws, "keyed", concurrency=keyed).count_start()
    yield "concurrency: free places of two limits", Story(aws, "both", concurrency=two).count_start()
    yield "concurrency: after standing in line", _in_line(Story(aws, "line", concurrency=1))
    prior = Story(aws, "prior", concurrency=LIMIT, priority=priority)
    yield "concurrency and priority: a free place", prior.count_start()
    prior = Story(aws, "prior", concurrency=1, priority=priority)
    yield "concurrency and priority: after standing in line", _in_line(prior)


def _in_line(story: Story) -> Spent:
    """Of the one that stands in line, and of its being woken by who is before it."""
    alone = story.count_start()
    return story.count(story.two_at_once) - alone


def _paused(story: Story) -> Spent:
    """With the resume, whose page this run has for itself."""
    services, apps = story.platform.services, story.platform.room.apps
    pausing.pause(services, apps, FN_ID, "queue")
    stood = story.count_start()
    return stood + story.count(lambda: pausing.resume(services, apps, FN_ID)) + story.count(story.settle)


def _admission(aws: Cloud) -> Iterator[tuple[str, Spent]]:
    once = Story(aws, "idempotency", idempotency="event.data.key")
    yield "idempotency: started", once.count_start()
    yield "idempotency: started before, skipped", once.count_start()
    rate = Story(aws, "rate", rate_limit=RateLimit(limit=1, period="1h", key="event.data.key"))
    yield "rate limit: granted", rate.count_start()
    yield "rate limit: dropped", rate.count_start()


def _throttle(aws: Cloud) -> Iterator[tuple[str, Spent]]:
    near = Story(aws, "near", throttle=Throttle(limit=1, period="2s", key="event.data.key"))
    yield "throttle: at once", near.count_start()
    yield "throttle: delayed by up to 15 minutes", near.count_start()
    far = Story(aws, "far", throttle=Throttle(limit=1, period="1h", key="event.data.key"))
    far.start()
    put = far.count_start()
    yield "throttle: delayed for longer", put + far.wake_after(timedelta(hours=1))


def _singleton(aws: Cloud) -> Iterator[tuple[str, Spent]]:
    skip = Story(aws, "skip", singleton=Singleton(mode="skip", key="event.data.key"))
    yield "singleton: granted", skip.count_start()
    skip.start(sleeps=True)
    yield "singleton: skipped", skip.count_start()
    cancel = Story(aws, "cancel", singleton=Singleton(mode="cancel", key="event.data.key"))
    yield "singleton (cancel): granted", cancel.count_start()
    cancel.start(sleeps=True)
    yield "singleton (cancel): cancelling one that sleeps", cancel.count_start()


def _debounce(aws: Cloud) -> Iterator[tuple[str, Spent]]:
    story = Story(aws, "debounce", debounce=Debounce(period="2s", key="event.data.key"))
    first = story.count(story.send)
    time.sleep(0.5)  # So far apart that the message for the first comes before the second one's time is over.
    joined = story.count(story.send)
    yield "debounce: an event that joins another", joined
    both = first + joined + story.count(story.settle)
    yield "debounce: one event and its run", story.count_start()
    yield "debounce: two events and their run", both


def _batch(aws: Cloud) -> Iterator[tuple[str, Spent]]:
    due = Story(aws, "due", batch_events=Batch(max_size=BATCH, timeout="1s", key="event.data.key"))
    yield "batch: one event and its run, when it is due", due.count_start()
    full = Story(aws, "full", batch_events=Batch(max_size=BATCH, timeout="30s", key="event.data.key"))

    def all_but_one() -> None:
        for _ in range(BATCH - 1):
            full.send()

    joined = full.count(all_but_one)
    yield f"batch: an event that joins (average of {BATCH - 1})", joined.times(1 / (BATCH - 1))
    # With the message for when it would have been due, which finds nothing to do.
    last = full.count_start()
    yield f"batch: the last of {BATCH} events, and their run", last
    yield f"batch: each of {BATCH}, its part of the run included", (joined + last).times(1 / BATCH)


def _timeouts(aws: Cloud) -> Iterator[tuple[str, Spent]]:
    near = Story(aws, "soon", timeouts=Timeouts(start="2s", finish="2s"))
    yield "timeouts: start and finish, of up to 15 minutes", near.count_start()
    far = Story(aws, "late", timeouts=Timeouts(start="1h", finish="1h"))
    yield "timeouts: start and finish, longer ones", far.count_start()
