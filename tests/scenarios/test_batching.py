"""One run for several events."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core import limits
from chalicelib.sdk import (
    Batch,
    Cancel,
    Context,
    Debounce,
    InvalidFunction,
    Priority,
    RateLimit,
    TriggerEvent,
    function,
)
from chalicelib.testing import Stepwell, start_stepwell


@function(
    fn_id="write",
    trigger=TriggerEvent(event="seen"),
    batch_events=Batch(
        max_size=3, timeout="30s", key="event.data.shop", if_exp="event.data.shop == null || event.data.shop != 'vip'"
    ),
)
def write(ctx: Context) -> object:
    first = ctx.event.data["n"]
    found = ctx.step.run("all", lambda: [event.data["n"] for event in ctx.events])
    assert found[0] == first
    return found


def seen(*numbers: int, shop: str = "a") -> list[dict[str, Any]]:
    return [{"name": "seen", "data": {"n": n, "shop": shop}} for n in numbers]


def outputs(kit: Stepwell) -> list[object]:
    return [run.output for run in kit.runs()]


def test_a_run_starts_as_soon_as_its_batch_is_full_and_with_what_there_is_when_its_time_is_over() -> None:
    with start_stepwell([write]) as kit:
        kit.send(seen(*range(7)))
        assert outputs(kit) == [[0, 1, 2], [3, 4, 5]]

        kit.advance("29s")
        assert len(kit.runs()) == 2

        kit.advance("2s")
        assert outputs(kit) == [[0, 1, 2], [3, 4, 5], [6]]
        kit.advance("10m")
        assert len(kit.runs()) == 3


def test_its_time_begins_with_its_first_event() -> None:
    with start_stepwell([write]) as kit:
        kit.send(seen(1))
        kit.advance("20s")
        kit.send(seen(2))
        kit.advance("11s")
        kit.send(seen(3))
        kit.advance("31s")

        assert outputs(kit) == [[1, 2], [3]]


def test_each_value_of_the_key_has_batches_of_its_own() -> None:
    with start_stepwell([write]) as kit:
        kit.send([*seen(1, 2), *seen(3, shop="b"), *seen(4)])
        assert outputs(kit) == [[1, 2, 4]]
        kit.advance("31s")

        assert outputs(kit) == [[1, 2, 4], [3]]


def test_an_event_that_is_not_to_be_batched_starts_a_run_of_its_own_at_once() -> None:
    with start_stepwell([write]) as kit:
        kit.send([*seen(1), *seen(2, shop="vip"), *seen(3, shop="vip")])

        assert outputs(kit) == [[2], [3]]
        assert "run.batched" not in kit.runs()[0].history


def test_so_does_one_of_which_that_cannot_be_told_and_its_audit_says_so() -> None:
    @function(
        fn_id="odd",
        trigger=TriggerEvent(event="odd"),
        batch_events=Batch(max_size=2, if_exp="event.data.n + 1 > 2", key="event.data.n + 1"),
    )
    def odd(ctx: Context) -> object:
        return len(ctx.events)

    with start_stepwell([odd]) as kit:
        [event_id] = kit.send("odd", {"n": "text"})

        assert kit.only_run().output == 1
        [note] = kit.event(event_id)["notes"]
        assert note["note"].startswith("batchEvents.if could not be evaluated: ")
        assert note["note"].endswith("; the event starts a run of its own")


def test_the_audit_of_every_event_leads_to_the_run_and_the_run_tells_of_every_event() -> None:
    with start_stepwell([write]) as kit:
        first, second = kit.send(seen(1, 2))
        [joined] = kit.event(first)["joined"]
        assert (joined["kind"], joined["key"], joined["used"]) == ("batch", '"a"', None)
        assert joined["until"][:19] == "2026-01-05T09:00:30"
        assert kit.event(first)["started"] == kit.event(second)["not_started"] == []
        [third] = kit.send(seen(3))

        run = kit.only_run()
        assert joined["run_id"] == run.run_id
        for event_id in (first, second, third):
            shown = kit.event(event_id)
            assert [start["run_id"] for start in shown["started"]] == [run.run_id]
            assert shown["started"][0]["at"] is not None
            assert [(one["used"], one["until"]) for one in shown["joined"]] == [(True, None)]
        [entry] = [entry for entry in run.timeline if entry["type"] == "run.batched"]
        assert [event["id"] for event in entry["events"]] == [first, second, third]
        assert entry["count"] == 3


def test_large_events_are_kept_and_bound_a_batch() -> None:
    @function(fn_id="heavy", trigger=TriggerEvent(event="heavy"), batch_events=Batch(max_size=100, timeout="1m"))
    def heavy(ctx: Context) -> object:
        return [len(event.data["text"]) for event in ctx.events]

    size = limits.MAX_BATCH_BYTES // 4
    with start_stepwell([heavy]) as kit:
        for _ in range(5):
            kit.send("heavy", {"text": "x" * size})
        # Four of them do not fit with their names and times: what is too much opens the next batch.
        assert outputs(kit) == [[size] * 3]
        kit.advance("61s")

        assert outputs(kit) == [[size] * 3, [size] * 2]


def test_steps_that_invoke_it_are_all_answered_by_its_run() -> None:
    @function(fn_id="together", trigger=TriggerEvent(event="x"), batch_events=Batch(max_size=2, timeout="1m"))
    def together(ctx: Context) -> object:
        return sum(event.data["n"] for event in ctx.events)

    @function(fn_id="caller", trigger=TriggerEvent(event="call"))
    def caller(ctx: Context) -> object:
        return ctx.step.invoke("it", function=together, data={"n": ctx.event.data["n"]})

    with start_stepwell([together, caller]) as kit:
        kit.send([{"name": "call", "data": {"n": n}} for n in (1, 2)])

        assert [run.output for run in kit.runs(caller)] == [3, 3]
        assert len(kit.runs(together)) == 1


def test_events_that_tell_its_end_name_all_of_them() -> None:
    with start_stepwell([write]) as kit:
        kit.send(seen(1, 2, 3))

        [finished] = kit.events("inngest/function.finished")
        assert [event["data"]["n"] for event in finished["data"]["events"]] == [1, 2, 3]
        assert finished["data"]["event"]["data"]["n"] == 1


def test_a_batch_of_ends_is_not_told_of() -> None:
    @function(
        fn_id="audit",
        trigger=[TriggerEvent(event="checked"), TriggerEvent(event="inngest/function.finished")],
        batch_events=Batch(max_size=2, timeout="1m"),
    )
    def audit(ctx: Context) -> object:
        return [event.name for event in ctx.events]

    @function(fn_id="plain", trigger=TriggerEvent(event="plain"))
    def plain(_ctx: Context) -> None: ...

    with start_stepwell([audit, plain]) as kit:
        kit.send("checked")
        kit.send("plain")
        kit.advance("10m")

        assert [run.output for run in kit.runs(audit)] == [["checked", "inngest/function.finished"]]
        assert len(kit.events("inngest/function.finished")) == 1


def test_a_redelivered_event_joins_once_and_its_run_is_created_once() -> None:
    with start_stepwell([write]) as kit:
        kit.send_only(seen(1))
        records = kit.pump.hold("events")
        for _ in range(3):
            assert kit.pump.deliver("events", records, acknowledge=False)
        kit.send(seen(2))
        assert kit.runs() == []
        kit.advance("31s")
        assert outputs(kit) == [[1, 2]]

        # Long after its batch was closed, with another one open.
        kit.send(seen(3))
        assert kit.pump.deliver("events", records)
        kit.advance("10m")
        assert outputs(kit) == [[1, 2], [3]]


def test_a_due_message_that_comes_again_starts_nothing_anew() -> None:
    with start_stepwell([write]) as kit:
        kit.send(seen(1))
        kit.advance_only("31s")
        records = kit.pump.hold("work")
        assert kit.pump.deliver("work", records, acknowledge=False)
        kit.drain()
        kit.send(seen(2))
        assert kit.pump.deliver("work", records)
        kit.drain()
        assert outputs(kit) == [[1]]

        kit.advance("31s")
        assert outputs(kit) == [[1], [2]]


def test_what_is_late_is_closed_by_whoever_comes_then() -> None:
    with start_stepwell([write]) as kit:
        kit.send(seen(1))
        kit.advance_only("31s")
        kit.pump.lose("work", kit.pump.hold("work"))
        kit.send(seen(2))
        assert outputs(kit) == [[1]]

        kit.advance("31s")
        assert outputs(kit) == [[1], [2]]


def test_what_joined_before_a_deployment_without_batches_becomes_a_run_all_the_same() -> None:
    @function(fn_id="write", trigger=TriggerEvent(event="seen"))
    def alone(ctx: Context) -> object:
        return [event.data["n"] for event in ctx.events]

    with start_stepwell([write]) as kit:
        kit.send(seen(1, 2))
        kit.deploy([alone])
        kit.send(seen(3))
        kit.advance("31s")

        assert outputs(kit) == [[3], [1, 2]]


def test_a_run_whose_start_was_lost_is_found_and_begins() -> None:
    with start_stepwell([write]) as kit:
        kit.send_only(seen(1, 2, 3))
        kit.pump.deliver_event()
        # The batch is full: its message creates the run and sends the first turn, which is lost.
        kit.pump.deliver_work()
        kit.pump.lose("work", kit.pump.hold("work"))
        kit.advance_only("20m")
        kit.collect()

        assert outputs(kit) == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"debounce": Debounce(period="5s")}, "batch_events cannot be combined with debounce"),
        ({"rate_limit": RateLimit(limit=1, period="1h")}, "batch_events cannot be combined with rate_limit"),
        ({"idempotency": "event.data.id"}, "batch_events cannot be combined with idempotency"),
        ({"concurrency": 1, "priority": Priority(run="1")}, "batch_events cannot be combined with priority"),
        ({"cancel": Cancel(event="stop")}, "batch_events cannot be combined with cancel"),
    ],
)
def test_what_does_not_go_together_is_refused_where_it_is_written(other: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidFunction, match=f"function 'broken': {told}"):

        @function(fn_id="broken", trigger=TriggerEvent(event="x"), batch_events=Batch(max_size=2), **other)
        def broken(_ctx: Context) -> None: ...


@pytest.mark.parametrize(
    ("batch", "told"),
    [
        (Batch(max_size=1), r"batch_events.max_size: .*greater than or equal to 2 \(got '1'\)"),
        (Batch(max_size=101), r"batch_events.max_size: .*less than or equal to 100"),
        (Batch(max_size=2, timeout="0s"), r"batch_events.timeout: .*from 1s to 7d"),
        (Batch(max_size=2, if_exp="event.data."), r"batch_events.if_exp: .*ends too early"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_written(batch: Batch, told: str) -> None:
    with pytest.raises(InvalidFunction, match=f"function 'broken': {told}"):

        @function(fn_id="broken", trigger=TriggerEvent(event="x"), batch_events=batch)
        def broken(_ctx: Context) -> None: ...
