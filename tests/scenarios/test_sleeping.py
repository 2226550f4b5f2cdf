"""Sleeping: a second, a year, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from chalicelib.core import limits
from chalicelib.sdk import Context, TriggerEvent, function
from chalicelib.testing import start_stepwell
from chalicelib.testing.kit import START


def sleeper(duration: Any = None, until: Any = None) -> Any:
    @function(fn_id="sleeper", trigger=TriggerEvent(event="go"))
    def fn(ctx: Context) -> str:
        if duration is not None:
            ctx.step.sleep("nap", duration)
        else:
            ctx.step.sleep_until("nap", until)
        return "awake"

    return fn


@pytest.mark.parametrize(
    ("duration", "ms"),
    [
        ("1s", 1_000),
        (1_500, 1_500),
        ("250ms", 250),
        ("14m59s", 899_000),
        ("15m", 900_000),
        ("15m1s", 901_000),
        (timedelta(hours=1), 3_600_000),
        ("7d", 7 * limits.DAY_MS),
        ("366d", 366 * limits.DAY_MS),
    ],
)
def test_it_wakes_within_a_second(duration: Any, ms: int) -> None:
    with start_stepwell([sleeper(duration)]) as kit:
        kit.send("go")
        kit.advance(ms - 1)
        assert kit.only_run().status == "Running"
        kit.advance(1_001)

        run = kit.only_run()
        assert (run.status, run.output) == ("Completed", "awake")
        assert run.steps["nap"].caused_by == "timer"


@pytest.mark.parametrize(
    ("until", "seconds"),
    [
        (START + timedelta(minutes=5), 300),
        (datetime(2026, 1, 5, 9, 5), 300),  # Naive: UTC.
        (datetime(2026, 1, 5, 10, 5, tzinfo=timezone(timedelta(hours=1))), 300),
        (START + timedelta(days=30), 30 * 86_400),
    ],
)
def test_until_a_moment(until: datetime, seconds: int) -> None:
    with start_stepwell([sleeper(until=until)]) as kit:
        kit.send("go")
        kit.advance(seconds * 1000 - 3)
        assert kit.only_run().status == "Running"
        kit.advance("1s")
        assert kit.only_run().status == "Completed"


@pytest.mark.parametrize("until", [START, START - timedelta(days=1), datetime(1999, 1, 1), datetime(1, 1, 1)])
def test_a_moment_that_has_passed_does_not_wait(until: datetime) -> None:
    with start_stepwell([sleeper(until=until)]) as kit:
        kit.send("go")
        assert kit.only_run().status == "Completed"


def test_zero_does_not_wait() -> None:
    with start_stepwell([sleeper("0s")]) as kit:
        kit.send("go")
        assert kit.only_run().status == "Completed"


@pytest.mark.parametrize(
    ("duration", "until", "says"),
    [
        ("366d1ms", None, "longer than 366d"),
        (timedelta(days=367), None, "longer than 366d"),
        (10**30, None, "longer than 366d"),
        (None, START + timedelta(days=366, seconds=1), "longer than 366d"),
        (None, datetime.max.replace(tzinfo=UTC), "longer than 366d"),
        (-1, None, "cannot be negative"),
        ("soon", None, "write numbers with units"),
        ("", None, "write numbers with units"),
        (1.5, None, "takes milliseconds, a timedelta or a text"),
        (True, None, "takes milliseconds, a timedelta or a text"),
        (None, "2027-01-01", "sleep_until takes a datetime"),
        (None, 86_400, "for a duration use ctx.step.sleep"),
    ],
)
def test_what_is_refused(duration: Any, until: Any, says: str) -> None:
    with start_stepwell([sleeper(duration, until)]) as kit:
        kit.send("go")

        run = kit.only_run()
        assert run.status == "Failed"
        assert run.error is not None
        assert says in run.error
        assert "nap" in run.error
        assert kit.pump.in_flight() == kit.pump.visible() == kit.pump.waiting() == kit.pump.dead_letters() == 0


def test_many_sleep_and_wake_in_order() -> None:
    woke: list[object] = []

    @function(fn_id="fn", trigger=TriggerEvent(event="go"))
    def fn(ctx: Context) -> None:
        minutes = ctx.event.data["minutes"]
        ctx.step.sleep("nap", timedelta(minutes=minutes))
        ctx.step.run("note", woke.append, minutes)

    with start_stepwell([fn]) as kit:
        kit.send([{"name": "go", "data": {"minutes": minutes}} for minutes in (90, 10, 60, 20, 14, 16)])
        kit.advance("1h")
        assert woke == [10, 14, 16, 20, 60]
        kit.advance("1h")
        assert woke[-1] == 90


def test_a_clock_that_was_stopped_for_a_month_wakes_everybody_afterwards() -> None:
    with start_stepwell([sleeper("2h")]) as kit:
        kit.send("go")
        kit.advance_only("30d")
        kit.advance("2s")

        assert kit.only_run().status == "Completed"


def test_no_timer_is_left_behind_when_a_sleeping_run_is_cancelled() -> None:
    with start_stepwell([sleeper("30d")]) as kit:
        kit.send("go")
        run = kit.only_run()
        step = next(iter(kit.platform.services.runs.load(run.run_id).steps.values()))  # type: ignore[union-attr]
        assert step.plan.timer is not None

        kit.cancel(run.run_id)

        due_ms = step.plan.timer.due_ms
        bucket = due_ms // limits.HOUR_MS
        left = [kit.platform.services.timers.in_bucket(bucket, shard, due_ms + 1, 10) for shard in range(4)]
        assert left == [[], [], [], []]
        assert kit.only_run().status == "Cancelled"
        assert kit.only_run().error == "cancelled by the API"
