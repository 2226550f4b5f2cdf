"""How long an event took, stage by stage (docs/API.md, "times")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.core import limits
from chalicelib.sdk import Cancel, Context, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell
from chalicelib.testing.session import kit_session
from tests.scenarios.insides import Died, Slow, items, replace_services


@function(fn_id="pack", trigger=TriggerEvent(event="order"))
def pack(ctx: Context) -> None:
    pass


@function(fn_id="bill", trigger=TriggerEvent(event="order"))
def bill(ctx: Context) -> None:
    pass


@function(fn_id="waiter", trigger=TriggerEvent(event="start"), cancel=[Cancel(event="stop")])
def waiter(ctx: Context) -> None:
    ctx.step.wait_for_event("wait", event="go", timeout="1d")


@pytest.fixture
def kit() -> Iterator[Stepwell]:
    with start_stepwell([pack, bill, waiter]) as kit:
        yield kit


def slow(kit: Stepwell) -> None:
    """Each call takes: of the events table 10 ms, of the pauses 100, of the runs 1,000."""
    s = kit.platform.services
    replace_services(
        kit, events=Slow(s.events, kit, 10), pauses=Slow(s.pauses, kit, 100), runs=Slow(s.runs, kit, 1_000)
    )


def process_slowly(kit: Stepwell, name: str) -> dict[str, Any]:
    """Send the event, have it wait for 5 seconds, and process it."""
    [event_id] = kit.send_only(name)
    kit.advance_only("5s")
    fast = kit.platform.services
    slow(kit)
    kit.pump.deliver_event()
    replace_services(kit, events=fast.events, pauses=fast.pauses, runs=fast.runs)
    return kit.event(event_id)


def test_the_stages_of_an_event_that_starts_runs(kit: Stepwell) -> None:
    event = process_slowly(kit, "order")

    # On the queue for 5 s and the kit's millisecond; name and record are written; shapes are read.
    assert {key: value for key, value in event["times"].items() if key.endswith("_ms")} == {
        "queue_ms": 5_001,
        "record_ms": 20,
        "match_ms": 100,
    }
    first, second = event["started"]
    assert (first["function_id"], second["function_id"]) == ("bill", "pack")
    # A run is created at the beginning of the write that creates it.
    assert (first["after_ms"], second["after_ms"]) == (5_121, 6_121)


def test_the_times_are_told_as_times_too(kit: Stepwell) -> None:
    event = process_slowly(kit, "order")

    assert event["received_at"] == "2026-01-05T09:00:00.001Z"
    assert [event["times"][name] for name in ("began_at", "recorded_at", "matched_at")] == [
        "2026-01-05T09:00:05.002Z",
        "2026-01-05T09:00:05.022Z",
        "2026-01-05T09:00:05.122Z",
    ]
    assert event["started"][0]["at"] == "2026-01-05T09:00:05.122Z"


@pytest.mark.parametrize("name", ["nobody", "go", "stop"])
def test_an_event_that_starts_nothing_keeps_its_times_itself(kit: Stepwell, name: str) -> None:
    kit.send("start")

    event = process_slowly(kit, name)

    assert event["started"] == []
    assert (event["times"]["queue_ms"], event["times"]["record_ms"]) == (5_001, 20)
    assert event["times"]["match_ms"] >= 100


def test_what_an_event_resumed_and_cancelled_has_its_time(kit: Stepwell) -> None:
    kit.send("start")
    kit.send("start")

    resumed = process_slowly(kit, "go")["resumed"]
    first, second = sorted(effect["after_ms"] for effect in resumed)
    assert 5_000 < first < second

    kit.send("start")
    [cancelled] = process_slowly(kit, "stop")["cancelled"]
    assert cancelled["after_ms"] > 5_000


def test_a_run_is_paid_for_as_before_and_other_events_by_one_row(kit: Stepwell) -> None:
    kit.send("order")
    rows = [item for item in items(kit, "events") if item["sk"].startswith("times#")]
    assert rows == []

    [event_id] = kit.send("nobody")
    [row] = [item for item in items(kit, "events") if item["sk"].startswith("times#")]
    assert event_id in row["sk"]
    kept_s = row["expires_at"] - kit.now.timestamp()
    assert kept_s > 30 * limits.DAY_MS // 1000


def test_a_process_that_dies_before_it_keeps_them_leaves_that_to_the_next_one(kit: Stepwell) -> None:
    class Dying(Slow):
        def put_times(self, *_: object) -> None:
            raise Died

    [event_id] = kit.send_only("nobody")
    events = kit.platform.services.events
    replace_services(kit, events=Dying(events, kit, 1))
    with pytest.raises(Died):
        kit.pump.deliver_event()
    replace_services(kit, events=events)
    assert kit.event(event_id)["times"]["matched_at"] is None

    kit.advance("2m")

    times = kit.event(event_id)["times"]
    # What the first delivery found out stays; matching took until the second one had done it.
    assert (times["queue_ms"], times["record_ms"]) == (1, 0)
    assert 60_000 < times["match_ms"] <= 120_000


def test_an_event_of_an_earlier_version_has_no_times_but_that_of_its_processing(kit: Stepwell) -> None:
    [event_id] = kit.send("order")
    without_times(kit)

    event = kit.event(event_id)

    assert event["times"]["began_at"] == event["processed_at"]
    assert (event["times"]["queue_ms"], event["times"]["record_ms"], event["times"]["match_ms"]) == (1, None, None)
    assert len(event["started"]) == 2


def without_times(kit: Stepwell) -> None:
    """Stored as versions before this one did."""

    client: Any = kit_session().create_client("dynamodb")
    for item in items(kit, "runs"):
        if "times" in item:
            client.update_item(
                TableName=kit.platform.config.table_runs,
                Key={"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}},
                UpdateExpression="REMOVE times",
            )
