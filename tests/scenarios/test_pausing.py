"""Functions that are paused: what waits, what is skipped, and what follows when they are resumed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chalicelib.core import concurrency as rule
from chalicelib.core.errors import LimitExceeded, NotFound
from chalicelib.core.function_pauses import MAX_PAUSED, FunctionPause
from chalicelib.core.messages import ResumeMessage
from chalicelib.core.runs import RunStatus
from chalicelib.engine import pausing, query_lines, tick
from chalicelib.sdk import (
    Batch,
    Cancel,
    Concurrency,
    Context,
    Debounce,
    Function,
    Throttle,
    Timeouts,
    TriggerCron,
    TriggerEvent,
    function,
)
from chalicelib.testing import Stepwell, start_stepwell

ON = TriggerEvent(event="t/go")
_order: list[Any] = []


@pytest.fixture(autouse=True)
def fresh() -> None:
    _order.clear()


def job(**flow: Any) -> Function[Any]:
    @function(fn_id="job", trigger=ON, **flow)
    def the_job(ctx: Context) -> Any:
        return ctx.step.run("one", lambda: _order.append(ctx.event.data.get("n")))

    return the_job


@contextmanager
def kit_of(*functions: Function[Any]) -> Iterator[Stepwell]:
    with start_stepwell(functions) as kit:
        yield kit


def pause(kit: Stepwell, mode: Any = "queue", fn_id: str = "job") -> None:
    kit.pause(fn_id, mode)


def resume(kit: Stepwell, fn_id: str = "job") -> None:
    kit.resume(fn_id)


def go(kit: Stepwell, *numbers: int) -> None:
    for number in numbers:
        kit.send("t/go", {"n": number})


def statuses(kit: Stepwell) -> list[str]:
    return [run.status.value for run in kit.runs()]


def paused_line(kit: Stepwell, fn_id: str = "job") -> list[rule.Waiter]:
    return kit.platform.room.lines.page(rule.pause_claim(fn_id).key, after=None, limit=1_000)


def queue(kit: Stepwell) -> list[dict[str, Any]]:
    return query_lines.queue(kit.platform.services, "job", limit=100, cursor=None).rows


def test_runs_are_created_and_wait_until_it_is_resumed_and_begin_in_order() -> None:
    with kit_of(job()) as kit:
        pause(kit)
        go(kit, 1, 2, 3)

        assert statuses(kit) == ["Queued"] * 3
        assert [run.history for run in kit.runs()] == [["run.created"]] * 3
        assert [(row["run_id"], row["reason"]) for row in queue(kit)] == [(run.run_id, "paused") for run in kit.runs()]
        assert _order == []

        resume(kit)
        assert statuses(kit) == ["Completed"] * 3
        assert _order == [1, 2, 3]
        assert queue(kit) == []
        assert paused_line(kit) == []


def test_a_run_whose_lease_was_taken_before_the_pause_was_known_is_queued_too() -> None:
    with kit_of(job()) as kit:
        kit.send_only([{"name": "t/go", "data": {"n": 1}}])
        kit.pump.deliver_event()
        pause(kit)
        kit.advance_only("11s")
        kit.drain()

        assert statuses(kit) == ["Queued"]
        head = kit.platform.services.runs.head(kit.only_run().run_id)
        assert head is not None
        assert (head.gated, head.starts, head.begun_at_ms) == (True, 0, None)


def test_a_run_that_has_begun_waits_between_two_turns_and_stays_running() -> None:
    @function(fn_id="job", trigger=ON)
    def napping(ctx: Context) -> Any:
        ctx.step.run("one", lambda: _order.append("one"))
        ctx.step.sleep("nap", "10m")
        ctx.step.run("two", lambda: _order.append("two"))

    with kit_of(napping) as kit:
        go(kit, 1)
        pause(kit)
        kit.advance("20m")
        assert statuses(kit) == ["Running"]
        assert _order == ["one"]
        assert len(paused_line(kit)) == 1

        resume(kit)
        assert statuses(kit) == ["Completed"]
        assert _order == ["one", "two"]


def test_a_run_that_raised_and_is_to_be_tried_again_waits_and_stays_begun() -> None:
    @function(fn_id="job", trigger=ON)
    def failing(ctx: Context) -> str:
        if ctx.attempt == 0:
            raise ValueError("once")
        return "done"

    with kit_of(failing) as kit:
        go(kit, 1)
        pause(kit)
        kit.advance("1h")
        assert statuses(kit) == ["Running"]
        resume(kit)
        assert kit.only_run().output == "done"


def test_steps_side_by_side_wait_too() -> None:
    @function(fn_id="job", trigger=ON)
    def parallel(ctx: Context) -> Any:
        steps = [lambda n=n: ctx.step.run(f"step-{n}", lambda: n) for n in range(3)]
        return list(ctx.group.parallel(tuple(steps)))

    with kit_of(parallel) as kit:
        kit.send_only([{"name": "t/go", "data": {}}])
        kit.pump.deliver_event()
        kit.pump.deliver_work()
        pause(kit)
        kit.advance_only("11s")
        kit.drain()
        assert [waiter.step_id is None for waiter in paused_line(kit)].count(False) == 3

        resume(kit)
        assert kit.only_run().output == [0, 1, 2]


def test_more_runs_than_a_page_go_on_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pausing, "_PAGE", 2)
    with kit_of(job()) as kit:
        pause(kit)
        go(kit, *range(5))
        resume(kit)
        assert _order == [0, 1, 2, 3, 4]
        assert paused_line(kit) == []


def test_what_is_skipped_is_told_by_the_event() -> None:
    with kit_of(job()) as kit:
        pause(kit, "skip")
        (event_id,) = kit.send("t/go", {"n": 1}, id="the-id")
        assert kit.runs() == []
        (row,) = kit.event(event_id)["not_started"]
        assert row["function_id"] == "job"
        assert row["reason"] == "the function was paused since 2026-01-05T09:00:00.000Z, and skips events"

        resume(kit)
        assert kit.runs() == []
        # Nothing was taken for it: it may be sent again.
        kit.send("t/go", {"n": 2}, id="the-id")
        assert _order == [2]


@pytest.mark.parametrize(
    "flow", [{}, {"idempotency": "event.data.n"}, {"batch_events": Batch(max_size=2, timeout="10s")}]
)
def test_what_was_skipped_holds_no_id_though_its_message_comes_again_later(flow: Any) -> None:
    """The event is decided on while the function is paused, and its message comes once more after it was resumed."""
    with kit_of(job(**flow)) as kit:
        pause(kit, "skip")
        event_id = None if "idempotency" in flow else "order-1"
        kit.send_only("t/go", {"n": 1}, id=event_id)
        held = kit.pump.hold("events")
        kit.pump.deliver("events", held, acknowledge=False)
        resume(kit)
        kit.pump.deliver("events", held)
        kit.drain()
        assert kit.runs() == []

        kit.send("t/go", {"n": 1}, id=event_id)
        kit.advance("10s")
        assert statuses(kit) == ["Completed"]


def test_what_has_begun_goes_on_where_events_are_skipped() -> None:
    @function(fn_id="job", trigger=ON)
    def napping(ctx: Context) -> None:
        ctx.step.sleep("nap", "10m")

    with kit_of(napping) as kit:
        go(kit, 1)
        pause(kit, "skip")
        kit.advance("20m")
        assert statuses(kit) == ["Completed"]


def test_a_step_that_invokes_a_function_that_skips_is_refused() -> None:
    @function(fn_id="caller", trigger=TriggerEvent(event="t/call"))
    def caller(ctx: Context) -> Any:
        return ctx.step.invoke("call", function=called)

    called = job()
    with kit_of(called, caller) as kit:
        pause(kit, "skip")
        kit.send("t/call")
        assert kit.only_run().status is RunStatus.FAILED
        assert "was not started: the function was paused" in str(kit.only_run().error)


@pytest.mark.parametrize(("mode", "after"), [("queue", 2), ("skip", 0)])
def test_schedules_wait_or_are_skipped(mode: Any, after: int) -> None:
    @function(fn_id="job", trigger=TriggerCron(cron="0 * * * *"))
    def hourly(_ctx: Context) -> None:
        _order.append("ran")

    with kit_of(hourly) as kit:
        pause(kit, mode)
        kit.advance("130m")
        assert _order == []
        resume(kit)
        assert len(_order) == after
        kit.advance("1h")
        assert len(_order) == after + 1


def test_from_queueing_to_skipping_what_waits_goes_on() -> None:
    with kit_of(job()) as kit:
        pause(kit)
        go(kit, 1)
        pause(kit, "skip")
        kit.drain()
        assert _order == [1]
        go(kit, 2)
        assert _order == [1]
        pause(kit, "queue")
        go(kit, 3)
        assert statuses(kit) == ["Completed", "Queued"]
        resume(kit)
        assert _order == [1, 3]


def test_paused_twice_is_paused_once() -> None:
    with kit_of(job()) as kit:
        pause(kit)
        first = kit.platform.services.catalog.pause_of("job", anew=True)
        kit.advance_only("1m")
        pause(kit)
        assert kit.platform.services.catalog.pause_of("job", anew=True) == first
        resume(kit)
        resume(kit)
        assert kit.platform.services.catalog.pause_of("job", anew=True) is None


def test_a_message_of_an_earlier_resume_wakes_nobody_of_a_later_pause() -> None:
    with kit_of(job()) as kit:
        pause(kit)
        earlier = kit.platform.services.catalog.pause_of("job", anew=True)
        assert earlier is not None
        resume(kit)
        pause(kit)
        go(kit, 1)

        pausing.go_on(kit.platform.services, kit.platform.room.apps, ResumeMessage(fn_id="job", pause_id=earlier.id))
        kit.drain()
        assert statuses(kit) == ["Queued"]


def test_whoever_resumes_and_dies_before_it_is_written_has_resumed_it() -> None:
    with kit_of(job()) as kit:
        pause(kit)
        go(kit, 1)
        there = kit.platform.services.catalog.pause_of("job", anew=True)
        assert there is not None
        kit.platform.services.queues.send_events([ResumeMessage(fn_id="job", pause_id=there.id)])
        kit.drain()
        assert _order == [1]
        assert kit.platform.services.catalog.pause_of("job", anew=True) is None


def test_if_the_message_of_a_resume_is_lost_the_sweep_wakes_them() -> None:
    with kit_of(job()) as kit:
        pause(kit)
        go(kit, 1, 2)
        pausing.resume(kit.platform.services, kit.platform.room.apps, "job")
        kit.pump.lose("events", kit.pump.hold("events"))
        kit.drain()
        assert _order == []
        kit.advance("2m")
        assert _order == [1, 2]
        kit.advance("3m")
        assert kit.platform.room.lines.lines_of("job") == []


def test_nobody_is_woken_or_poked_in_vain_while_it_is_paused(caplog: pytest.LogCaptureFixture) -> None:
    @function(fn_id="job", trigger=ON)
    def napping(ctx: Context) -> None:
        ctx.step.sleep("nap", "10m")

    with kit_of(napping) as kit:
        go(kit, 1)
        pause(kit)
        go(kit, 2)
        kit.advance("20m")
        before = kit.pump.deliveries
        for _ in range(22):
            kit.advance_only("1h")
            kit.collect()
            tick.tick(kit.platform.services, kit.platform.clock.now_ms() + 60_000)
            kit.drain()
        assert kit.pump.deliveries == before
        # Once a day they are sent a turn, so that they are kept; nobody was forgotten.
        kit.advance_only("3h")
        with caplog.at_level(logging.INFO):
            kit.collect()
        assert kit.pump.deliveries == before + 2
        assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert statuses(kit) == ["Running", "Queued"]

        resume(kit)
        kit.advance("10m")
        assert statuses(kit) == ["Completed", "Completed"]


def test_a_run_that_is_cancelled_meanwhile_leaves_the_line() -> None:
    with kit_of(job(cancel=[Cancel("t/stop", if_exp="async.data.n == event.data.n")])) as kit:
        pause(kit)
        go(kit, 1, 2)
        kit.send("t/stop", {"n": 1})
        assert statuses(kit) == ["Cancelled", "Queued"]
        assert len(paused_line(kit)) == 1
        resume(kit)
        assert _order == [2]


def test_places_are_taken_after_the_pause() -> None:
    with kit_of(job(concurrency=[Concurrency(limit=1)])) as kit:
        pause(kit)
        go(kit, 1, 2)
        assert [row["reason"] for row in queue(kit)] == ["paused"] * 2
        resume(kit)
        assert _order == [1, 2]
        assert statuses(kit) == ["Completed"] * 2


def test_the_timeout_of_the_beginning_goes_on_counting() -> None:
    with kit_of(job(timeouts=Timeouts(start="10m"))) as kit:
        pause(kit)
        go(kit, 1)
        kit.advance("11m")
        assert statuses(kit) == ["Cancelled"]
        resume(kit)
        assert _order == []


def test_times_of_a_throttle_pass() -> None:
    with kit_of(job(throttle=Throttle(limit=1, period="1m"))) as kit:
        pause(kit)
        go(kit, 1, 2, 3)
        kit.advance("10m")
        assert statuses(kit) == ["Queued"] * 3
        resume(kit)
        assert sorted(_order) == [1, 2, 3]


@pytest.mark.parametrize(
    "joins", [{"debounce": Debounce(period="1m")}, {"batch_events": Batch(max_size=10, timeout="1m")}]
)
def test_what_events_became_waits(joins: dict[str, Any]) -> None:
    with kit_of(job(**joins)) as kit:
        pause(kit)
        go(kit, 1, 2)
        kit.advance("5m")
        assert statuses(kit) == ["Queued"]
        resume(kit)
        assert statuses(kit) == ["Completed"]


def test_other_functions_are_left_alone() -> None:
    @function(fn_id="other", trigger=ON)
    def other(_ctx: Context) -> None:
        _order.append("other")

    with kit_of(job(), other) as kit:
        pause(kit)
        go(kit, 1)
        assert _order == ["other"]


def test_it_stays_paused_when_apps_are_synced() -> None:
    from tests.contract.test_apps import app

    with kit_of(job()) as kit:
        pause(kit)
        apps = kit.platform.room.apps
        assert apps.put(app("an app"), seen=apps.version(), nonce="n")
        assert kit.platform.services.catalog.pause_of("job", anew=True) is not None


def test_what_is_not_there_cannot_be_paused_or_resumed() -> None:
    with kit_of(job()) as kit:
        for act in (pause, resume):
            with pytest.raises(NotFound):
                act(kit, fn_id="nobody")


def test_so_many_may_be_paused() -> None:
    with kit_of(job()) as kit:
        apps = kit.platform.room.apps
        some = {f"f{n}": FunctionPause(id="p", since_ms=0) for n in range(MAX_PAUSED)}
        assert apps.set_paused(some, seen=0)
        with pytest.raises(LimitExceeded, match="resume one first"):
            pause(kit)


def test_a_run_that_waits_for_a_year_is_kept() -> None:
    with kit_of(job()) as kit:
        pause(kit)
        go(kit, 1)
        runs, run_id = kit.platform.services.runs, kit.only_run().run_id
        before = runs.head(run_id)
        kit.advance_only("365d")
        kit.collect()
        after = runs.head(run_id)
        assert before is not None
        assert after is not None
        assert after.expires_at_s > kit.platform.clock.now_ms() // 1000 + 30 * 86_400
        assert after.expires_at_s > before.expires_at_s
        resume(kit)
        assert _order == [1]
