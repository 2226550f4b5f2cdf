"""Steps and functions that fail and are tried again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.sdk import Context, Function, NonRetriableError, RetryAfterError, StepError, TriggerEvent, function
from chalicelib.testing import RunView, start_stepwell
from chalicelib.testing.kit import START


def step_that(act: Callable[[int], object], retries: int | None = None) -> Function[object]:
    """A function with one step that calls `act(attempt)`."""

    @function(fn_id="job", trigger=TriggerEvent(event="go"), retries=retries)
    def job(ctx: Context) -> object:
        return ctx.step.run("work", act, ctx.attempt)

    return job


def failed_at(run: RunView) -> list[float]:
    """Seconds after the beginning at which attempts failed."""
    began = datetime.fromisoformat(run.timeline[0]["at"])
    times = [entry["at"] for entry in run.timeline if entry["type"].endswith("attempt_failed")]
    return [(datetime.fromisoformat(at) - began).total_seconds() for at in times]


def failing(_attempt: int) -> object:
    raise ValueError("no")


def test_five_attempts_with_the_documented_backoff() -> None:
    with start_stepwell([step_that(failing)]) as kit:
        kit.send("go")
        kit.advance("1h")

        run = kit.only_run()
        assert failed_at(run) == [0, 15, 45, 105, 225]
        assert (run.status, run.error) == ("Failed", "no")
        assert (run.steps["work"].status, run.steps["work"].attempts) == ("failed", 5)


def test_the_whole_table() -> None:
    with start_stepwell([step_that(failing, retries=20)]) as kit:
        kit.send("go")
        kit.advance("5d")

        gaps = [15, 30, 60, 120, 300, 600, 1200, 2400, 3600, *[7200] * 11]
        assert failed_at(kit.only_run()) == [sum(gaps[:n]) for n in range(21)]


@pytest.mark.parametrize("retries", [0, 1])
def test_fewer_attempts(retries: int) -> None:
    with start_stepwell([step_that(failing, retries)]) as kit:
        kit.send("go")
        kit.advance("1h")

        assert kit.only_run().steps["work"].attempts == retries + 1


def test_what_happens_between_the_attempts() -> None:
    def twice(attempt: int) -> int:
        if attempt < 2:
            raise ValueError(f"attempt {attempt}")
        return attempt

    with start_stepwell([step_that(twice)]) as kit:
        kit.send("go")
        run = kit.only_run()
        assert (run.status, run.steps["work"].status) == ("Running", "retrying")
        kit.advance("14s")
        assert kit.only_run().steps["work"].attempts == 1
        kit.advance("31s")

        run = kit.only_run()
        assert (run.status, run.output) == ("Completed", 2)
        assert [
            entry.get("error", {}).get("message") for entry in run.timeline if entry["type"].startswith("step")
        ] == [
            "attempt 0",
            "attempt 1",
            None,
        ]


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        ("90s", 90),
        (timedelta(minutes=5), 300),
        (2_000, 2),
        (START + timedelta(hours=2), 7200),
        (datetime(2026, 1, 5, 9, 10), 600),  # Naive: UTC.
        (0, 1),
        (START - timedelta(days=1), 1),
        ("30d", 86_400),
        (datetime(9999, 12, 31, tzinfo=UTC), 86_400),
    ],
)
def test_retry_after(after: int | str | timedelta | datetime, seconds: float) -> None:
    def busy(attempt: int) -> str:
        if attempt == 0:
            raise RetryAfterError("busy", after)
        return "done"

    with start_stepwell([step_that(busy)]) as kit:
        kit.send("go")
        kit.advance(timedelta(seconds=seconds) - timedelta(milliseconds=3))
        assert kit.only_run().status == "Running"
        kit.advance("2s")

        run = kit.only_run()
        assert (run.status, run.output) == ("Completed", "done")


def test_retry_after_counts_as_an_attempt() -> None:
    def busy(_attempt: int) -> str:
        raise RetryAfterError("busy", "1s")

    with start_stepwell([step_that(busy, retries=1)]) as kit:
        kit.send("go")
        kit.advance("1m")

        assert (kit.only_run().status, kit.only_run().error) == ("Failed", "busy")


def test_non_retriable_ends_it_at_once() -> None:
    def hopeless(_attempt: int) -> str:
        raise NonRetriableError("never")

    with start_stepwell([step_that(hopeless)]) as kit:
        kit.send("go")

        run = kit.only_run()
        assert (run.status, run.error, run.steps["work"].attempts) == ("Failed", "never", 1)
        assert run.timeline[-1]["error"]["name"] == "NonRetriableError"


def test_code_outside_of_steps_is_retried_too_and_keeps_the_steps() -> None:
    calls: list[object] = []

    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> str:
        ctx.step.run("once", calls.append, "called")
        if ctx.attempt < 2:
            raise ValueError(f"attempt {ctx.attempt}")
        return "fine"

    with start_stepwell([job]) as kit:
        kit.send("go")
        kit.advance("1h")

        run = kit.only_run()
        assert (run.status, run.output) == ("Completed", "fine")
        assert failed_at(run) == [0, 15]
        assert calls == ["called"]
        assert run.history.count("function.attempt_failed") == 2


def test_failures_outside_of_steps_are_counted_anew_after_a_step() -> None:
    tries = {"before": 0, "after": 0}

    def fail_three_times(place: str) -> None:
        tries[place] += 1
        if tries[place] <= 3:
            raise ValueError(place)

    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> str:
        fail_three_times("before")
        ctx.step.run("step", lambda: None)
        fail_three_times("after")
        return "fine"

    with start_stepwell([job]) as kit:
        kit.send("go")
        kit.advance("1h")

        run = kit.only_run()
        assert (run.status, run.output) == ("Completed", "fine")
        assert failed_at(run) == [0, 15, 45, 105, 120, 150]


def test_a_function_that_always_raises_fails_after_five_attempts() -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(_ctx: Context) -> None:
        raise ValueError("always")

    with start_stepwell([job]) as kit:
        kit.send("go")
        kit.advance("1h")

        run = kit.only_run()
        assert (run.status, run.error) == ("Failed", "always")
        # The last failure is the run's own end.
        assert failed_at(run) == [0, 15, 45, 105]
        assert run.timeline[-1]["type"] == "run.failed"


def test_each_step_has_its_own_attempts() -> None:
    seen: dict[str, int] = {}

    def flaky(name: str) -> int:
        seen[name] = seen.get(name, 0) + 1
        if seen[name] < 4:
            raise ValueError(name)
        return seen[name]

    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> list[int]:
        return [ctx.step.run(name, flaky, name) for name in ("a", "b", "c")]

    with start_stepwell([job]) as kit:
        kit.send("go")
        kit.advance("1h")

        assert kit.only_run().output == [4, 4, 4]


def test_a_fast_table_for_local_development() -> None:
    with start_stepwell([step_that(failing)], RETRY_TABLE="1s,2s") as kit:
        kit.send("go")
        kit.advance("1m")

        assert failed_at(kit.only_run()) == [0, 1, 3, 5, 7]


def test_a_step_error_can_be_caught() -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"), retries=0)
    def job(ctx: Context) -> str:
        try:
            return str(ctx.step.run("work", failing, 0))
        except StepError as error:
            text = f"{error.name}: {error.message} {'test_retries.py' in str(error.stack)}"
            return ctx.step.run("instead", lambda: f"caught {text}")

    with start_stepwell([job]) as kit:
        kit.send("go")

        run = kit.only_run()
        assert (run.status, run.output) == ("Completed", "caught ValueError: no True")
        assert (run.steps["work"].status, run.steps["work"].error) == ("failed", "no")


def test_a_step_error_that_is_not_caught_fails_the_run_with_the_steps_error() -> None:
    with start_stepwell([step_that(failing, retries=0)]) as kit:
        kit.send("go")

        run = kit.only_run()
        assert run.history == ["run.created", "run.started", "step.attempt_failed", "step.failed", "run.failed"]
        error = run.timeline[-1]["error"]
        assert (error["name"], error["message"]) == ("ValueError", "no")
        assert "test_retries.py" in error["stack"]
        assert "chalicelib" not in error["stack"]
