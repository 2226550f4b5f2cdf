"""Rules about time: retries, schedules, timers, delays, what is overdue, what counts for a wait."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core import clock, ids, limits, retries, timers
from chalicelib.core.calls import ErrorInfo
from chalicelib.core.crons import CronSchedule
from chalicelib.core.errors import InvalidFunction
from chalicelib.core.events import Event
from chalicelib.core.pauses import Pause, PauseKind, counts_for, spent_events, wait_accepts_after_us
from chalicelib.core.runs import Ending, Owner, Reason, RunHead, RunSeed, RunStatus, overdue, wake_at_ms
from chalicelib.core.steps import (
    Attempt,
    Cause,
    CauseKind,
    PauseKey,
    StepKind,
    StepOutcome,
    StepPlan,
    StepRecord,
    StepStatus,
)
from chalicelib.deliveries import backoff_s
from chalicelib.engine.timing import delay_s

NOW = 1_800_000_000_000
MINUTE, HOUR = limits.MINUTE_MS, limits.HOUR_MS


@pytest.mark.parametrize(
    ("failed", "seconds"), [(1, 15), (2, 30), (3, 60), (4, 120), (9, 3600), (10, 7200), (50, 7200)]
)
def test_the_backoff(failed: int, seconds: int) -> None:
    assert retries.backoff_ms(failed, 0.0) == seconds * 1000
    assert retries.backoff_ms(failed, 0.999999) < seconds * 1000 + 30_000
    assert retries.backoff_ms(failed, 0.9, (1_000, 2_000)) == (1_000 if failed == 1 else 2_000)


@given(
    failed=st.integers(1, 30),
    most=st.integers(1, 21),
    retriable=st.booleans(),
    after=st.none() | st.integers(NOW - 10**12, NOW + 10**12),
    jitter=st.floats(0, 0.999),
)
def test_there_is_another_attempt_or_none(
    failed: int, most: int, retriable: bool, after: int | None, jitter: float
) -> None:
    due = retries.retry_at_ms(
        now_ms=NOW,
        failed_attempts=failed,
        max_attempts=most,
        retriable=retriable,
        retry_after_ms=after,
        jitter=jitter,
    )
    assert (due is None) == (not retriable or failed >= most)
    if due is not None:
        assert NOW + 1_000 <= due <= NOW + limits.DAY_MS
        if after is not None and NOW + 1_000 <= after <= NOW + limits.DAY_MS:
            assert due == after


def at(text: str) -> int:
    return clock.from_iso(text)


@pytest.mark.parametrize(
    ("cron", "after", "until", "due"),
    [
        ("0 9 * * *", "2026-01-05T09:00:00Z", "2026-01-07T09:00:00Z", ["2026-01-06T09:00", "2026-01-07T09:00"]),
        ("0 9 * * *", "2026-01-05T08:59:59Z", "2026-01-05T08:59:59Z", []),
        ("*/20 * * * *", "2026-01-05T09:00:01Z", "2026-01-05T09:59:59Z", ["2026-01-05T09:20", "2026-01-05T09:40"]),
        # In Berlin the clocks go forward on 29 March 2026 at 01:00 UTC and back on 25 October at 01:00 UTC.
        (
            "TZ=Europe/Berlin 30 9 * * *",
            "2026-03-28T00:00Z",
            "2026-03-30T00:00Z",
            ["2026-03-28T08:30", "2026-03-29T07:30"],
        ),
        ("TZ=Europe/Berlin 30 2 * * *", "2026-03-28T12:00Z", "2026-03-29T12:00Z", ["2026-03-29T01:00"]),
        ("TZ=Europe/Berlin 30 2 * * *", "2026-10-24T12:00Z", "2026-10-25T12:00Z", ["2026-10-25T00:30"]),
        ("CRON_TZ=America/New_York 0 0 1 * *", "2026-06-30T00:00Z", "2026-07-02T00:00Z", ["2026-07-01T04:00"]),
        ("0 0 29 2 *", "2026-01-01T00:00Z", "2029-01-01T00:00Z", ["2028-02-29T00:00"]),
        ("0 12 * * MON-FRI", "2026-01-09T13:00Z", "2026-01-12T13:00Z", ["2026-01-12T12:00"]),
    ],
)
def test_schedules(cron: str, after: str, until: str, due: list[str]) -> None:
    found = list(CronSchedule.parse(cron).due_between(at(after), at(until)))
    assert [clock.to_iso(moment)[:16] for moment in found] == due


@pytest.mark.parametrize(
    ("cron", "says"),
    [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("* * * * * *", "five fields"),
        ("@daily", "five fields"),
        ("60 * * * *", "is not a cron expression"),
        ("a b c d e", "is not a cron expression"),
        ("TZ=Mars/Base 0 9 * * *", "'Mars/Base' is not a time zone"),
        ("TZ=../../etc/passwd 0 9 * * *", "is not a time zone"),
        ("TZ= 0 9 * * *", "is not a time zone"),
        ("TZ=Europe/Berlin", "five fields"),
        ("* " * 200, "more than 128 characters"),
        ("0 0 31 2 *", "is not a cron expression"),
    ],
)
def test_schedules_that_cannot_be_used(cron: str, says: str) -> None:
    with pytest.raises(InvalidFunction, match=says):
        CronSchedule.parse(cron)


@given(after=st.integers(NOW, NOW + 10**11), length=st.integers(0, 3 * 10**8), split=st.floats(0, 1))
def test_two_ticks_find_what_one_would(after: int, length: int, split: float) -> None:
    schedule = CronSchedule.parse("TZ=Europe/Berlin */45 3-22 * * *")
    until, middle = after + length, after + int(length * split)
    whole = list(schedule.due_between(after, until))
    assert whole == [*schedule.due_between(after, middle), *schedule.due_between(middle, until)]
    assert all(after < due <= until for due in whole)


@given(due=st.integers(0, 2 * NOW), early=st.integers(-(10**6), 10**6))
def test_a_delay_is_whole_seconds_and_never_too_short(due: int, early: int) -> None:
    seconds = delay_s(due, due - early)
    assert seconds * 1000 >= early
    assert seconds == 0 or (seconds - 1) * 1000 < early


def test_messages_that_failed_come_back_soon() -> None:
    assert [backoff_s(n) for n in range(8)] == [1, 1, 2, 4, 8, 16, 30, 30]
    assert backoff_s(10_000) == 30


@given(now=st.integers(NOW, NOW + 10**10), mark=st.none() | st.integers(0, NOW // timers.BUCKET_MS))
def test_a_sweep_begins_where_somebody_may_still_write(now: int, mark: int | None) -> None:
    first = timers.first_bucket(None if mark is None else str(mark), now)
    assert first <= timers.bucket_of(now - timers.MARK_LAG_MS)
    assert mark is None or first <= mark


def test_the_mark_passes_empty_old_buckets_in_order() -> None:
    old = timers.bucket_of(NOW) - 5
    assert timers.next_mark(old, True, old, NOW) == old + 1
    assert timers.next_mark(old, False, old, NOW) == old
    assert timers.next_mark(old + 1, True, old, NOW) == old
    assert timers.next_mark(timers.bucket_of(NOW), True, timers.bucket_of(NOW), NOW) == timers.bucket_of(NOW)


SEED = RunSeed(
    run_id=ids.ulid(NOW, b"0" * 10),
    fn_id="fn",
    event_id=ids.ulid(NOW, b"1" * 10),
    event_name="a",
    trigger_received_at_us=NOW * 1000,
    created_at_ms=NOW,
)
OWNER = Owner(message_id="m", nonce="n")
ENDED = Ending(status=RunStatus.COMPLETED, ended_at_ms=NOW)


@pytest.mark.parametrize(
    ("fields", "after", "reason"),
    [
        ({}, 15 * MINUTE, None),
        ({}, 15 * MINUTE + 1, Reason.NEVER_BEGAN),
        ({"begun_at_ms": NOW}, 15 * MINUTE, None),
        ({"begun_at_ms": NOW}, 15 * MINUTE + 1, Reason.STANDS_STILL),
        ({"begun_at_ms": NOW, "wake_at_ms": NOW + HOUR}, HOUR + 2 * MINUTE, None),
        ({"begun_at_ms": NOW, "wake_at_ms": NOW + HOUR}, HOUR + 2 * MINUTE + 1, Reason.TIMER_MISSED),
        ({"begun_at_ms": NOW, "owner": OWNER, "lease_until_ms": NOW + HOUR}, HOUR + MINUTE, None),
        ({"begun_at_ms": NOW, "owner": OWNER, "lease_until_ms": NOW + HOUR}, HOUR + MINUTE + 1, Reason.LEASE_RAN_OUT),
        ({"ending": ENDED}, 2 * MINUTE, None),
        ({"ending": ENDED}, 2 * MINUTE + 1, Reason.UNSETTLED),
        ({"ending": ENDED, "settled": True}, 10 * HOUR, None),
        ({"poked_at_ms": NOW}, HOUR - 1, None),
        ({"poked_at_ms": NOW}, HOUR, Reason.NEVER_BEGAN),
    ],
)
def test_what_is_overdue(fields: dict[str, Any], after: int, reason: Reason | None) -> None:
    assert overdue(RunHead(seed=SEED, **fields), NOW + after) == reason


def step(name: str, status: StepStatus = StepStatus.WAITING, wake: int | None = None, **plan: Any) -> StepRecord:
    outcome = plan.pop("outcome", None)
    return StepRecord(
        id=name,
        status=status,
        plan=StepPlan(name=name, kind=StepKind.RUN, started_at_ms=NOW, **plan),
        wake_at_ms=wake,
        outcome=outcome,
    )


@pytest.mark.parametrize(
    ("steps", "wake"),
    [
        ([], None),
        ([step("a", wake=NOW + 5)], NOW + 5),
        ([step("a", wake=NOW + 5), step("b", wake=NOW + 3)], NOW + 3),
        ([step("a", wake=NOW - 5)], NOW),
        ([step("a", StepStatus.PLANNED, planned=True)], NOW + HOUR),
        ([step("a", StepStatus.PLANNED, planned=True), step("b", wake=NOW + 1)], NOW + 1),
        ([step("a", StepStatus.RETRYING, wake=NOW + 2 * HOUR, planned=True)], NOW + 2 * HOUR),
        ([step("a", StepStatus.COMPLETED, wake=NOW + 5)], None),
    ],
)
def test_when_a_suspended_run_is_looked_at_again(steps: list[StepRecord], wake: int | None) -> None:
    assert wake_at_ms({item.id: item for item in steps}, NOW) == wake


PAUSE = Pause(
    key=PauseKey(key="k", row="r"),
    kind=PauseKind.WAIT,
    run_id=SEED.run_id,
    fn_id="fn",
    event_name="answer",
    shape=(),
    trigger_event_id="trigger",
    accept_after_us=NOW * 1000,
    accept_until_ms=NOW + HOUR,
    spent=("spent",),
)


@pytest.mark.parametrize(
    ("name", "internal_id", "received_us", "counts"),
    [
        ("answer", "e", NOW * 1000 + 1, True),
        ("answer", "e", NOW * 1000, False),
        ("answer", "e", (NOW + HOUR) * 1000 + 999, True),
        ("answer", "e", (NOW + HOUR + 1) * 1000, False),
        ("answer", "trigger", NOW * 1000 + 1, False),
        ("answer", "spent", NOW * 1000 + 1, False),
        ("question", "e", NOW * 1000 + 1, False),
    ],
)
def test_which_event_counts_for_a_pause(name: str, internal_id: str, received_us: int, counts: bool) -> None:
    event = Event(internal_id=internal_id, received_at_us=received_us, id="x", name=name, ts=1)
    assert counts_for(PAUSE, event) is counts


def test_a_wait_listens_from_its_registration_less_the_skew_but_not_from_before_its_trigger() -> None:
    assert wait_accepts_after_us(NOW, 0, None) == (NOW - limits.CLOCK_SKEW_MS) * 1000
    assert wait_accepts_after_us(NOW, NOW * 1000 - 7, None) == NOW * 1000 - 7


def test_a_wait_that_looks_back_listens_from_then_but_not_from_before_its_trigger() -> None:
    assert wait_accepts_after_us(NOW, 0, HOUR) == (NOW - HOUR) * 1000
    assert wait_accepts_after_us(NOW, 0, 1) == (NOW - limits.CLOCK_SKEW_MS) * 1000
    assert wait_accepts_after_us(NOW, NOW * 1000 - 7, HOUR) == NOW * 1000 - 7
    assert wait_accepts_after_us(NOW, 1234, "run") == 1234


def test_events_that_resumed_the_run_since_are_spent() -> None:
    def ended_by(kind: CauseKind, name: str, at_ms: int) -> StepRecord:
        outcome = StepOutcome(ended_at_ms=at_ms, cause=Cause(kind=kind, id=name))
        return step(name, StepStatus.COMPLETED, outcome=outcome)

    steps = [
        ended_by(CauseKind.EVENT, "now", NOW),
        ended_by(CauseKind.EVENT, "lately", NOW - 2 * limits.CLOCK_SKEW_MS),
        ended_by(CauseKind.EVENT, "long-ago", NOW - 2 * limits.CLOCK_SKEW_MS - 1),
        ended_by(CauseKind.RUN, "a-run", NOW),
        step("plain", StepStatus.COMPLETED, outcome=StepOutcome(ended_at_ms=NOW)),
        step("open"),
    ]
    after_us = (NOW - limits.CLOCK_SKEW_MS) * 1000
    assert spent_events({item.id: item for item in steps}, after_us) == ("lately", "now")


@given(st.integers(min_value=0, max_value=253_402_300_799_999))
def test_times_on_the_wire_are_read_again(ms: int) -> None:
    assert clock.from_iso(clock.to_iso(ms)) == ms


def test_naive_times_are_utc() -> None:
    assert clock.from_datetime(datetime(2026, 1, 5)) == clock.from_datetime(datetime(2026, 1, 5, tzinfo=UTC))


def test_attempts_are_counted_from_the_place_where_the_function_stands() -> None:
    attempt = Attempt(started_at_ms=NOW, ended_at_ms=NOW, error=ErrorInfo(name="E", message="m"))
    assert step("a", StepStatus.RETRYING, attempts=(attempt,) * 5, earlier_attempts=3).failures == 2
