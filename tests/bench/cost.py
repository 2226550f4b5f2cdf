"""`make bench-cost`: what things cost in AWS, from what the platform asks of it here and AWS's list prices.

Counted are the requests of the platform itself on the emulator. Added by rule are the requests that Lambda's mappings
make for each message (a receive and a delete) and, by the assumptions printed, the time of invocations.
docs/COST.md explains the figures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from chalicelib.core.metrics import Metric
from chalicelib.engine import collect, ingest, metrics, tick
from chalicelib.sdk import Context, TriggerEvent, function
from infra.deploy.settings import load
from infra.local import cloud
from infra.local.cloud import Cloud
from infra.local.settings import TEMPLATE
from tests.bench import scenario
from tests.bench.engine import say
from tests.bench.scenario import Bench

# US dollars: list prices of us-east-1 as published in 2025, after all free tiers. For a million, but where said.
WRITE_UNIT, READ_UNIT = 0.625, 0.125
SQS_REQUEST, API_REQUEST, LAMBDA_REQUEST = 0.40, 3.50, 0.20
GB_SECOND: Final = 0.0000166667
METRIC_MONTH, ALARM_MONTH = 0.30, 0.10

_HOUR_MS: Final = 3_600_000
MINUTES_OF_A_MONTH: Final = 43_800
# Lambda's service asks each queue five times at once and waits 20 s for an answer.
IDLE_POLLS_OF_A_MONTH: Final = 2 * 5 * MINUTES_OF_A_MONTH * 3
# Taken as the billed time of an invocation, in seconds; `make bench-engine` has the times of this machine.
API_S, EVENT_S, TURN_S, STEP_S, SCHEDULE_S = 0.03, 0.06, 0.08, 0.02, 0.08


@dataclass(frozen=True)
class Bill:
    """What one story asked for."""

    name: str
    writes: float
    reads: int
    sqs: int
    invocations: int
    gb_s: float
    api: int

    @property
    def per_million(self) -> float:
        """Dollars for a million of them."""
        return (
            self.writes * WRITE_UNIT
            + self.reads * READ_UNIT
            + self.sqs * SQS_REQUEST
            + self.invocations * LAMBDA_REQUEST
            + self.gb_s * GB_SECOND * 1e6
            + self.api * API_REQUEST
        )


def bill(name: str, bench: Bench, act: Callable[[], object], *, steps: int = 0) -> Bill:
    """Let it happen once to know the names, and count the second time."""
    act()
    bench.meter.reset()
    delivered = bench.pump.deliveries
    act()
    return _bill_of(name, bench, bench.pump.deliveries - delivered, steps)


def _bill_of(name: str, bench: Bench, deliveries: int, steps: int) -> Bill:
    meter = bench.meter
    sent = [line for line in meter.log if line.startswith("sqs SendMessage")]
    events = sum(line.endswith("events") for line in sent)
    memory = load("bench")
    gb = (memory.events_memory_mb + memory.work_memory_mb) / 2 / 1024
    api_gb = memory.api_memory_mb / 1024
    time_s = events * EVENT_S + (len(sent) - events) * TURN_S + steps * STEP_S
    return Bill(
        name=name,
        writes=meter.total_writes(),
        reads=meter.requests("read") + meter.requests("BatchGetItem") + meter.requests("Scan"),
        sqs=meter.requests("sqs") + 2 * deliveries,
        invocations=deliveries + 1,
        gb_s=time_s * gb + API_S * api_gb,
        api=1,
    )


def _send(bench: Bench, name: str, **data: Any) -> None:
    platform = bench.platform
    accepted = ingest.accept(platform.services, platform.reception, {"name": name, "data": data})
    assert accepted.ids, accepted.refusals
    bench.pump.drain()


@function(fn_id="bench-wait", trigger=TriggerEvent(event="bench/signup"))
def waits(ctx: Context) -> str:
    """Waits for one event."""
    found = ctx.step.wait_for_event(
        "until-confirmed",
        event="bench/confirmed",
        if_exp="event.data.id == async.data.id",
        timeout=timedelta(days=30),
    )
    return "late" if found is None else "in time"


@function(fn_id="bench-sleep", trigger=TriggerEvent(event="bench/nap"))
def sleeps(ctx: Context) -> str:
    """Sleeps for a month, until the meter's clock says so."""
    ctx.step.sleep("a-month", timedelta(days=30))
    return "awake"


def stories(aws: Cloud) -> Iterable[Bill]:
    """Each with a platform of its own, so that no function of another one is asked."""
    bench = scenario.start(aws, 10)
    yield bill("a run of ten steps, with its event", bench, bench.run_once, steps=10)
    bench = scenario.start(aws, 1)
    yield bill("a run of one step, with its event", bench, bench.run_once, steps=1)
    yield bill("an event that nothing waits for", bench, lambda: _send(bench, "bench/nobody-listens"))

    waiting = scenario.start_with(aws, waits)
    numbers = iter(range(100))

    def wait_and_confirm() -> None:
        number = next(numbers)
        _send(waiting, "bench/signup", id=number)
        _send(waiting, "bench/confirmed", id=number)

    whole = bill("a run that waits for a second event, with both events", waiting, wait_and_confirm)
    yield Bill(whole.name, whole.writes, whole.reads, whole.sqs, whole.invocations + 1, whole.gb_s, whole.api + 1)
    sleeping = scenario.start_with(aws, sleeps)
    # A tick reads one hour's timers or two, by the minute: here it is one, as mostly.
    _advance(sleeping, timedelta(minutes=90) - timedelta(milliseconds=sleeping.platform.clock.now_ms() % _HOUR_MS))

    def sleep_and_wake() -> None:
        _send(sleeping, "bench/nap")
        # The ticks of the month before are not this run's.
        sleeping.meter.counting = False
        _tick_after(sleeping, timedelta(days=29, hours=23, minutes=54))
        sleeping.meter.counting = True
        _tick_after(sleeping, timedelta(minutes=6, seconds=5))
        sleeping.pump.drain()

    yield bill("a run that sleeps for 30 days, with the tick that wakes it", sleeping, sleep_and_wake)


def _advance(bench: Bench, span: timedelta) -> None:
    bench.platform.clock.advance(span // timedelta(milliseconds=1))


def _tick_after(bench: Bench, span: timedelta) -> None:
    _advance(bench, span)
    tick.tick(bench.platform.services, bench.platform.clock.now_ms() + 60_000)


@dataclass(frozen=True)
class Idle:
    """What one invocation of a schedule asks for when there is nothing to do, on the average of an hour."""

    name: str
    per_month: int
    writes: float
    reads: float
    sqs: float
    gb: float

    @property
    def month(self) -> float:
        """Dollars."""
        millions = self.per_month / 1e6
        requests = self.writes * WRITE_UNIT + self.reads * READ_UNIT + self.sqs * SQS_REQUEST + LAMBDA_REQUEST
        return millions * requests + self.per_month * SCHEDULE_S * self.gb * GB_SECOND


def idle(aws: Cloud) -> Iterable[Idle]:
    """The two schedules, called all through an hour, once their marks are written: what is read depends on the minute,
    and a mark that moves with the clock is a write each time."""
    bench = scenario.start(aws, 1)
    s, memory, meter = bench.platform.services, load("bench"), bench.meter

    def counted(name: str, apart_min: int, mb: int, act: Callable[[int], object]) -> Idle:
        times = 60 // apart_min
        act(bench.platform.clock.now_ms() + 60_000)
        meter.reset()
        for _ in range(times):
            _advance(bench, timedelta(minutes=apart_min))
            act(bench.platform.clock.now_ms() + 60_000)
        reads = meter.requests("read") + meter.requests("BatchGetItem") + meter.requests("Scan")
        figures = (meter.total_writes() / times, reads / times, meter.requests("sqs") / times)
        return Idle(name, MINUTES_OF_A_MONTH // apart_min, *figures, mb / 1024)

    def minute(deadline_ms: int) -> None:
        metrics.measure_backlog(s)
        tick.tick(s, deadline_ms)

    yield counted("on_tick, each minute", 1, memory.tick_memory_mb, minute)
    yield counted("on_collect, every five minutes", 5, memory.collect_memory_mb, lambda by: collect.collect(s, by))


def print_bills(bills: Iterable[Bill]) -> None:
    head = ("write u.", "read u.", "SQS", "Lambda", "GB-s", "API", "$ a million")
    say(f"{'what happens, once':<64}" + "".join(f"{word:>10}" for word in head[:-1]) + f"{head[-1]:>13}")
    for one in bills:
        figures = f"{one.writes:>10.0f}{one.reads:>10}{one.sqs:>10}{one.invocations:>10}{one.gb_s:>10.3f}{one.api:>10}"
        say(f"{one.name:<64}{figures}{one.per_million:>13.2f}")


def print_idle(found: Iterable[Idle]) -> None:
    say()
    say(f"{'while nothing happens':<40}{'a month':>12}{'write u.':>10}{'read u.':>10}{'SQS':>6}{'$ a month':>12}")
    total = 0.0
    for one in found:
        total += one.month
        figures = f"{one.per_month:>12,}{one.writes:>10.1f}{one.reads:>10.1f}{one.sqs:>6.1f}{one.month:>12.2f}"
        say(f"{one.name:<40}{figures}")
    polls = IDLE_POLLS_OF_A_MONTH / 1e6 * SQS_REQUEST
    say(f"{'Lambda asks the two queues':<40}{IDLE_POLLS_OF_A_MONTH:>12,}{'':>10}{'':>10}{1:>6}{polls:>12.2f}")
    say(f"{'in all, beside alarms and metrics':<78}{total + polls:>12.2f}")
    template = TEMPLATE.read_text(encoding="utf-8")
    alarms = template.count("Type: AWS::CloudWatch::Alarm")
    for what, price in (
        (f"{alarms} alarms at ${ALARM_MONTH:.2f}", alarms * ALARM_MONTH),
        (f"the {len(Metric)} metrics at ${METRIC_MONTH:.2f}, if all of them occur", len(Metric) * METRIC_MONTH),
    ):
        say(f"{what:<78}{price:>12.2f}")


def main() -> int:
    say("List prices of us-east-1 (2025), no free tier; memory as in infra/settings.toml. Assumed as billed time:")
    say(f"{API_S} s for a request, {EVENT_S} an event, {TURN_S} a turn, {STEP_S} per step, {SCHEDULE_S} a tick.")
    say("A read counts as one unit each: consistent, of at most 4 KB.")
    say()
    with cloud.start() as aws:
        print_bills(stories(aws))
    with cloud.start() as aws:  # One that nothing has happened in: the stories move their clocks months ahead.
        print_idle(idle(aws))
    return 0


if __name__ == "__main__":
    sys.exit(main())
