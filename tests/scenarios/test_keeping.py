"""How long records are kept: a run that waits must not lose its steps."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.config import ConfigurationError
from chalicelib.core import limits
from chalicelib.sdk import Cancel, Context, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell
from tests.scenarios.insides import items

DAY_S = 86_400


def now_s(kit: Stepwell) -> int:
    return kit.platform.clock.now_ms() // 1000


def rows_of_runs(kit: Stepwell) -> dict[str, int]:
    return {str(item["sk"]): item["expires_at"] for item in items(kit, "runs")}


def waiting(how: str) -> Any:
    @function(fn_id="job", trigger=TriggerEvent(event="go"), cancel=Cancel(event="stop"))
    def job(ctx: Context) -> None:
        ctx.step.run("before", lambda: 1)
        ctx.step.sleep("short", "1s")
        if how == "sleep":
            ctx.step.sleep("year", "366d")
        elif how == "wait":
            ctx.step.wait_for_event("year", event="answer", timeout="366d")
        elif how == "invoke":
            ctx.step.invoke("year", function=never, timeout="366d")
        else:
            ctx.group.parallel(
                (
                    lambda: ctx.step.run("beside", int),
                    lambda: ctx.step.sleep("year", "366d"),
                    lambda: ctx.step.run("beside-2", int),
                )
            )

    return job


@function(fn_id="never", trigger=TriggerEvent(event="never"))
def never(ctx: Context) -> None:
    ctx.step.sleep("a", "366d")
    ctx.step.sleep("b", "366d")


@pytest.mark.parametrize("how", ["sleep", "wait", "invoke", "parallel"])
def test_everything_of_a_run_that_waits_a_year_is_kept_beyond_it(how: str) -> None:
    with start_stepwell([waiting(how), never]) as kit:
        kit.send("go")
        kit.advance("1s")
        until = now_s(kit) + 366 * DAY_S

        [run] = kit.runs("job")
        assert run.steps["year"].status == "waiting"
        kept = [item for item in items(kit, "runs") if item["pk"] == run.run_id]
        assert len(kept) >= 4
        for item in kept:
            # The wait, and the retention after it.
            assert item["expires_at"] >= until + 30 * DAY_S, item["sk"]
        for item in items(kit, "pauses"):
            if how == "wait" or "pause" not in item:
                assert item["expires_at"] >= until
        for item in items(kit, "timers"):
            assert item.get("expires_at", until) >= until


@pytest.mark.parametrize("how", ["sleep", "wait"])
def test_it_ends_after_a_year_with_everything_it_had(how: str) -> None:
    with start_stepwell([waiting(how), never]) as kit:
        kit.send("go")
        kit.advance("1s")
        kit.advance("366d1s")

        run = kit.only_run("job")
        assert run.status == "Completed"
        assert run.steps["before"].output == 1


def test_a_short_run_is_kept_for_60_days_and_the_retention_and_its_head_for_the_retention() -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def job(ctx: Context) -> None:
        ctx.step.run("only", int)

    with start_stepwell([job], RETENTION_DAYS="20") as kit:
        kit.send("go")

        rows = rows_of_runs(kit)
        assert rows.pop("0") == pytest.approx(now_s(kit) + 20 * DAY_S, abs=2)
        far = pytest.approx(now_s(kit) + 80 * DAY_S, abs=2)
        assert all(expires_at == far for expires_at in rows.values())
        events = [item for item in items(kit, "events") if "record" in item]
        assert all(item["expires_at"] == far for item in events)


@pytest.mark.parametrize("days", ["13", "0", "-1", "", "many", "²"])
def test_retention_below_what_a_message_lives_is_refused(days: str) -> None:
    if days == "":
        with start_stepwell([], RETENTION_DAYS=days) as kit:
            assert kit.platform.config.retention_days == limits.DEFAULT_RETENTION_DAYS
        return
    with (
        pytest.raises(ConfigurationError, match=r"STEPWELL_RETENTION_DAYS is .* at least 14"),
        start_stepwell([], RETENTION_DAYS=days),
    ):
        raise AssertionError
