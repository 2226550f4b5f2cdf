"""What a run costs, asserted: write units, reads and requests (issue 2, "Numbers"). Times are printed by
`make bench-engine` and never asserted."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from chalicelib.aws import keys
from chalicelib.core import ids
from infra.local.cloud import Cloud
from tests.bench import cost, scale, scenario
from tests.bench.engine import MAX_RUN_SENDS, MAX_RUN_WRITES
from tests.bench.scenario import Bench
from tests.contract import build
from tests.contract.conftest import NOW_MS, World


@pytest.fixture(scope="module")
def ten_steps(aws: Cloud) -> Bench:
    """A run of ten steps with everything as large as the promise allows, counted; its event's name is known."""
    bench = scenario.start(aws)
    assert bench.run_once() == "Completed"
    bench.meter.reset()
    assert bench.run_once() == "Completed"
    return bench


def test_ten_steps_cost_ten_write_units_and_no_queue_call(ten_steps: Bench) -> None:
    log = ten_steps.meter.log
    first, last = log.index("PutItem: step"), len(log) - 1 - log[::-1].index("PutItem: step")

    assert ten_steps.meter.total_writes("step") == 10
    assert Counter(log[first : last + 1]) == {"PutItem: step": 10, "GetItem: read: head": 9}


def test_the_page_of_costs_has_what_is_counted(aws: Cloud) -> None:
    """docs/SCALE.md is reckoned from it. All but the last row, whose tick reads what lies in the hour."""
    rows = scale.stories()
    for bill in itertools.islice(cost.stories(aws), len(rows) - 1):
        row, dollars = rows[bill.name], round(bill.per_million, 2)
        found = (bill.writes, bill.reads, bill.sqs, bill.invocations, dollars)
        assert found == (row.writes, row.reads, row.sqs, row.invocations, row.dollars), bill.name


@pytest.mark.parametrize("count", [1, 3, 25])
def test_n_steps_cost_n_write_units_whatever_n_is(aws: Cloud, count: int) -> None:
    bench = scenario.start(aws, count)
    assert bench.run_once() == "Completed"
    others = bench.meter.total_writes() - bench.meter.total_writes("step")
    names = bench.meter.total_writes("event name (once a day and process)")

    assert bench.meter.total_writes("step") == count
    assert (others - names, bench.meter.requests("sqs")) == (10, MAX_RUN_SENDS)


def test_a_whole_run_with_its_event_and_every_index_costs_at_most_twenty_write_units(ten_steps: Bench) -> None:
    writes = {purpose: line.writes for purpose, line in ten_steps.meter.lines.items() if line.writes}

    assert sum(writes.values()) <= MAX_RUN_WRITES, writes
    assert writes == {
        "event record": 1,
        "run's copy of its event": 1,
        "head": 1,
        "index by_function, head": 1,
        "index open, head": 1,
        "lease": 1,
        "step": 10,
        "end": 1,
        "settled": 1,
        "index open, settled": 1,
        "lifecycle event record": 1,
    }


def test_a_whole_run_sends_three_messages(ten_steps: Bench) -> None:
    sent = {purpose: line.requests for purpose, line in ten_steps.meter.lines.items() if purpose.startswith("sqs")}

    assert sent == {"sqs SendMessage events": 2, "sqs SendMessage work": 1}
    assert sum(sent.values()) <= MAX_RUN_SENDS


def test_a_whole_run_reads_once_per_step_and_four_times_besides(ten_steps: Bench) -> None:
    # And twice it is asked whether an app was synced: once per invocation for events, be it for ten of them.
    assert ten_steps.meter.requests("read: registry version") == 2
    assert ten_steps.meter.requests("read") == 14 + 2


def test_the_name_of_an_event_is_written_once_a_day_and_process(aws: Cloud) -> None:
    bench = scenario.start(aws)
    for _ in range(3):
        bench.run_once()

    # The run's own event, and the one that tells its end.
    assert bench.meter.total_writes("event name (once a day and process)") == 2


def test_a_page_of_events_reads_no_more_than_it_needs_of_each_shard(ministack: World) -> None:
    name, read = ministack.name(), list[int]()
    for number in range(60):
        ministack.room.events.put(build.record(build.event(ministack, name, at_ms=NOW_MS + number)))
    ministack.session.register("after-call.dynamodb.Query", lambda **call: read.append(call["parsed"]["ScannedCount"]))

    page = ministack.again().events.page(name, after=ids.position(0), before=ids.position(NOW_MS * 2), limit=2)

    assert len(page.records) == 2
    assert read == [3] * keys.EVENT_SHARDS
