"""What flow control adds to a start, asserted: write units, and requests to the limits table (docs/FLOW.md,
docs/CONCURRENCY.md)."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chalicelib.engine import ingest, pausing
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
from infra.local.cloud import Cloud
from tests.bench import flow_costs, scenario
from tests.bench.flow_costs import Spent, Story
from tests.bench.scenario import EVENT, FN_ID, Bench


def bench_of(aws: Cloud, **flow: Any) -> Bench:
    @function(fn_id=FN_ID, trigger=TriggerEvent(event=EVENT), **flow)
    def limited(_ctx: Context) -> None: ...

    return scenario.start_with(aws, limited)


def send(bench: Bench, key: str) -> None:
    """One event, and all that follows; what was counted before is forgotten."""
    bench.meter.reset()
    accepted = ingest.accept(
        bench.platform.services, bench.platform.reception, {"name": EVENT, "data": {"key": key, "n": 1}}
    )
    assert accepted.ids, accepted.refusals
    bench.pump.drain()


def spent(bench: Bench) -> tuple[float, int, int]:
    """Write units, writes and reads of the limits table."""
    lines = bench.meter.lines
    return lines["limits"].writes, lines["limits"].requests, lines["read: limits"].requests


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """A value that no other test uses."""
    return str(request.node.name)


def test_a_rate_limit(aws: Cloud, key: str) -> None:
    bench = bench_of(aws, rate_limit=RateLimit(limit=30, period="1h", key="event.data.key"))

    # However much it remembers.
    for _ in range(30):
        send(bench, key)
        assert spent(bench) == (1, 1, 1)

    send(bench, key)
    assert spent(bench) == (0, 0, 1)
    assert "head" not in bench.meter.lines


def test_a_throttle(aws: Cloud, key: str) -> None:
    bench = bench_of(aws, throttle=Throttle(limit=30, period="7d", key="event.data.key"))

    for number in range(3):
        send(bench, key)
        assert spent(bench) == (1, 1, 1)
        # The first begins; who comes later waits among the timers.
        assert bench.meter.lines["timers"].writes == (0 if number == 0 else 1)
        assert ("lease" in bench.meter.lines) is (number == 0)


def test_an_idempotency_key(aws: Cloud, key: str) -> None:
    bench = bench_of(aws, idempotency="event.data.key")

    send(bench, key)
    assert spent(bench) == (1, 1, 0)

    # It tells who holds the key: AWS takes a unit for a condition that fails, too.
    send(bench, key)
    assert spent(bench) == (0, 1, 0)
    assert bench.meter.lines["limits"].refused == 1
    assert "head" not in bench.meter.lines


def test_a_limit_and_standing_in_line(aws: Cloud, key: str) -> None:
    plain = flow_costs.plain(aws)
    limit = Concurrency(limit=1, key="event.data.key")
    story = Story(aws, key, concurrency=[limit])
    both = Story(aws, key + "both", concurrency=[limit, Concurrency(limit=2)])

    alone = story.count_start()
    assert alone - plain == Spent(writes=3, reads=4, dynamodb=7)
    assert both.count_start() - plain == Spent(writes=5, reads=8, dynamodb=13)

    # One message wakes the second.
    in_line = story.count(story.two_at_once) - alone
    assert in_line - alone == Spent(writes=6, reads=4, dynamodb=10, sqs=1, delivered=1)

    # A priority is reckoned, not asked for.
    prior = Story(aws, key + "prior", concurrency=[limit], priority=Priority(run="120"))
    assert prior.count_start() == alone


def test_a_singleton(aws: Cloud, key: str) -> None:
    for mode in ("skip", "cancel"):
        bench = bench_of(aws, singleton=Singleton(mode=mode, key="event.data.key"))
        for _ in range(2):
            send(bench, key + mode)
            # It is taken, and given back when the run ends.
            [given_back] = [line for name, line in bench.meter.lines.items() if name.startswith("DeleteItem")]
            assert spent(bench) == (1, 1, 1)
            assert (given_back.writes, given_back.requests) == (1, 1)


def test_timeouts(aws: Cloud, key: str) -> None:
    def spent_on_a_run(**flow: Any) -> tuple[float, int, float, float]:
        """Write units but for timers, messages, timers that were put and that were removed."""
        bench = bench_of(aws, **flow)
        send(bench, key)
        send(bench, key)
        lines = bench.meter.lines
        put, removed = lines["timers"].writes, lines["BatchWriteItem"].writes
        return bench.meter.total_writes() - put - removed, bench.meter.requests("sqs SendMessage"), put, removed

    units, messages, *_ = spent_on_a_run()

    # Each is a message; and when it is far, a timer.
    assert spent_on_a_run(timeouts=Timeouts(start="1m", finish="1m")) == (units, messages + 2, 0, 0)
    assert spent_on_a_run(timeouts=Timeouts(start="1h", finish="1h")) == (units, messages, 2, 2)


def test_a_pause(aws: Cloud, key: str) -> None:
    bench = bench_of(aws)
    services, apps = bench.platform.services, bench.platform.room.apps
    pausing.pause(services, apps, FN_ID, "queue")
    try:
        send(bench, key)
        # Its place in the line, and the line.
        assert spent(bench) == (2, 2, 0)
        bench.meter.reset()
    finally:
        pausing.resume(services, apps, FN_ID)
    bench.pump.drain()

    # A page of the line is read once; who is woken is noted, and leaves.
    assert spent(bench) == (1, 1, 0)
    assert bench.meter.lines["read: query limits"].requests == 1
    [left] = [line for name, line in bench.meter.lines.items() if name.startswith("DeleteItem")]
    assert (left.writes, left.requests) == (1, 1)


JOIN = "transaction: joined, limits"


def test_a_debounce(aws: Cloud, key: str) -> None:
    bench = bench_of(aws, debounce=Debounce(period="1s", key="event.data.key"))

    for number in range(3):
        send(bench, key)
        assert spent(bench) == (0, 0, 1)
        assert bench.meter.lines[JOIN].writes == 4
        # It is the first whose message comes when the time is over.
        assert bench.meter.lines["sqs SendMessage work"].requests == (1 if number == 0 else 0)
        assert "head" not in bench.meter.lines
    bench.meter.reset()
    until = time.monotonic() + 30
    # It goes back for the rest, since the others came later.
    while "head" not in bench.meter.lines:
        assert time.monotonic() < until
        bench.pump.deliver_work()
        time.sleep(0.05)

    closing = bench.meter.lines["transaction: limits, limits"]
    removal = bench.meter.requests("DeleteItem")
    assert (closing.requests, closing.writes, removal) == (1, 4, 1)
    assert bench.meter.requests("BatchGetItem") == 1
    assert bench.meter.lines["head"].requests == 1


def test_a_batch(aws: Cloud, key: str) -> None:
    bench = bench_of(aws, batch_events=Batch(max_size=100, timeout="1h", key="event.data.key"))

    writes = []
    for _ in range(99):
        send(bench, key)
        writes.append(bench.meter.lines[JOIN].writes)
        assert spent(bench) == (0, 0, 1)
    send(bench, key)

    # The ids of those that are there are written again: two units for each kilobyte of them.
    assert (writes[25], writes[55], writes[85], writes[98]) == (4, 6, 8, 10)
    assert sum(writes) < 7 * 99

    assert bench.meter.lines["transaction: joined, limits, limits"].requests == 1
    assert bench.meter.requests("BatchGetItem") == 1
    assert bench.meter.lines["head"].requests == 1
