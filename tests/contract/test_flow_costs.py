"""What flow control adds to a start, asserted: write units, and requests to the limits table (docs/FLOW.md)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.engine import ingest
from chalicelib.sdk import Context, RateLimit, Singleton, Throttle, Timeouts, TriggerEvent, function
from infra.local.cloud import Cloud
from tests.bench import scenario
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

    # It tells who holds the key. AWS takes a unit for a condition that fails, too; the emulator does not tell of it.
    send(bench, key)
    assert spent(bench) == (0, 1, 0)
    assert "head" not in bench.meter.lines


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
