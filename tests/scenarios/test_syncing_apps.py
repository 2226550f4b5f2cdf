"""Apps on an SDK: what is synced starts, what is gone starts nothing new, and its runs end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import inngest
import pytest

from chalicelib.core.runs import RunStatus
from chalicelib.engine import apps
from chalicelib.sdk import Context, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell
from tests.web import sdk_app
from tests.web.sdk_app import Served, register, registration, serve_app


@function(fn_id="caller", trigger=TriggerEvent(event="demo/call"))
def caller(ctx: Context) -> Any:
    return ctx.step.invoke_by_id("call", function_id=ctx.event.data["id"], timeout="1h")


@pytest.fixture
def stepwell() -> Iterator[Stepwell]:
    with start_stepwell([caller]) as kit:
        yield kit


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """An app whose functions are all there, whatever of them it registers."""
    with serve_app(_define) as found:
        yield found


def _define(client: inngest.Inngest) -> Sequence[inngest.Function[Any]]:
    @client.create_function(fn_id="pay", trigger=inngest.TriggerEvent(event="shop/order"))
    def pay(ctx: inngest.ContextSync) -> Any:
        number = ctx.step.run("charge", lambda: ctx.event.data["n"])
        ctx.step.sleep("rest", 60_000)
        return f"paid {number}"

    @client.create_function(fn_id="ship", trigger=inngest.TriggerEvent(event="shop/order"))
    def ship(_ctx: inngest.ContextSync) -> str:
        return "shipped"

    return [pay, ship]


def sync(kit: Stepwell, served: Served, *names: str, **fields: Any) -> None:
    """The app registers these of its functions."""
    known = {"triggers": [{"event": "shop/order"}], **fields}
    functions = [sdk_app.function(f"shop-{name}", served.url, **known) for name in names]
    register(kit, registration(served.url, *functions))


def statuses(kit: Stepwell, fn_id: str) -> list[RunStatus]:
    return [run.status for run in kit.runs(fn_id)]


def test_an_event_after_the_sync_starts_what_was_synced(stepwell: Stepwell, served: Served) -> None:
    stepwell.send("shop/order", {"n": 1})
    sync(stepwell, served, "pay", "ship")
    (event_id,) = stepwell.send("shop/order", {"n": 2})
    assert [one["function_id"] for one in stepwell.event(event_id)["started"]] == ["shop-pay", "shop-ship"]
    stepwell.advance("2m")

    assert [run.output for run in stepwell.runs("shop-pay")] == ["paid 2"]
    assert [run.output for run in stepwell.runs("shop-ship")] == ["shipped"]


def test_one_that_was_accepted_before_but_is_processed_afterwards_starts_it_too(
    stepwell: Stepwell, served: Served
) -> None:
    stepwell.send_only("shop/order", {"n": 1})
    sync(stepwell, served, "ship")
    stepwell.drain()
    assert statuses(stepwell, "shop-ship") == [RunStatus.COMPLETED]


def test_a_function_that_is_gone_starts_nothing_new_and_its_runs_end(stepwell: Stepwell, served: Served) -> None:
    sync(stepwell, served, "pay", "ship")
    stepwell.send("shop/order", {"n": 1})
    sync(stepwell, served, "ship")
    stepwell.send("shop/order", {"n": 2})

    assert (len(stepwell.runs("shop-pay")), len(stepwell.runs("shop-ship"))) == (1, 2)
    stepwell.advance("2m")
    assert [run.output for run in stepwell.runs("shop-pay")] == ["paid 1"]


def test_an_app_that_is_removed_starts_nothing_new_and_its_runs_end(stepwell: Stepwell, served: Served) -> None:
    sync(stepwell, served, "pay")
    stepwell.send("shop/order", {"n": 1})
    apps.remove(stepwell.platform.services, stepwell.platform.room.apps, "shop")
    stepwell.send("shop/order", {"n": 2})
    stepwell.advance("2m")
    assert [run.output for run in stepwell.runs("shop-pay")] == ["paid 1"]

    sync(stepwell, served, "pay")
    stepwell.send("shop/order", {"n": 3})
    stepwell.advance("2m")
    assert [run.output for run in stepwell.runs("shop-pay")] == ["paid 1", "paid 3"]


def test_another_process_that_knew_the_old_functions_starts_the_new_ones(stepwell: Stepwell, served: Served) -> None:
    stepwell.deploy([caller])
    stepwell.send("demo/other")
    before = stepwell.platform
    stepwell.deploy([caller])
    sync(stepwell, served, "ship")

    stepwell.platform = stepwell.pump.platform = before
    stepwell.send("shop/order", {"n": 1})
    assert statuses(stepwell, "shop-ship") == [RunStatus.COMPLETED]


def test_schedules_of_apps_fire_until_they_are_gone(stepwell: Stepwell, served: Served) -> None:
    sync(stepwell, served, "ship", triggers=[{"cron": "0 * * * *"}])
    stepwell.advance("150m")
    assert statuses(stepwell, "shop-ship") == [RunStatus.COMPLETED] * 2
    sync(stepwell, served, "pay")
    stepwell.advance("3h")
    assert len(stepwell.runs("shop-ship")) == 2


def test_a_schedule_that_was_sent_before_its_function_was_gone_starts_nothing(
    stepwell: Stepwell, served: Served
) -> None:
    sync(stepwell, served, "ship", triggers=[{"cron": "0 * * * *"}])
    # A minute ahead its event is on its way.
    stepwell.advance("59m30s")
    sync(stepwell, served, "pay")
    stepwell.advance("5m")

    assert stepwell.runs("shop-ship") == []
    (event,) = stepwell.events("inngest/scheduled.timer")
    assert stepwell.event(event["internal_id"])["not_started"] == [
        {"function_id": "shop-ship", "reason": "its app has the function no more"}
    ]


def test_jitter_delays_a_schedule_within_its_bounds(stepwell: Stepwell, served: Served) -> None:
    sync(stepwell, served, "ship", triggers=[{"cron": "0 * * * *", "jitter": "10m"}])
    stepwell.advance("5h30m")
    minutes = [run.timeline[0]["at"][14:19] for run in stepwell.runs("shop-ship")]
    assert len(minutes) == 5
    assert all("00:00" <= minute <= "10:01" for minute in minutes)
    assert len(set(minutes)) > 1


def test_functions_of_an_app_can_be_invoked_by_their_ids(stepwell: Stepwell, served: Served) -> None:
    sync(stepwell, served, "ship", triggers=[])
    stepwell.send("demo/call", {"id": "shop-ship"})
    assert stepwell.only_run("caller").output == "shipped"


def test_one_that_is_gone_cannot(stepwell: Stepwell, served: Served) -> None:
    sync(stepwell, served, "ship")
    sync(stepwell, served, "pay")
    stepwell.send("demo/call", {"id": "shop-ship"})
    error = stepwell.only_run("caller").error
    assert error is not None
    assert "the invoked function 'shop-ship' is not there; known functions: caller, shop-pay" in error


def test_a_cancellation_until_a_moment(stepwell: Stepwell, served: Served) -> None:
    until = {"event": "shop/stop", "timeout": "2026-01-05T09:00:30Z"}
    sync(stepwell, served, "pay", cancel=[until])
    stepwell.send("shop/order", {"n": 1})
    stepwell.advance("40s")
    stepwell.send("shop/stop")
    stepwell.advance("2m")
    assert statuses(stepwell, "shop-pay") == [RunStatus.COMPLETED]
    sync(stepwell, served, "pay", cancel=[{**until, "timeout": "2027-01-01T00:00:00Z"}])
    stepwell.send("shop/order", {"n": 2})
    stepwell.send("shop/stop")
    assert statuses(stepwell, "shop-pay") == [RunStatus.COMPLETED, RunStatus.CANCELLED]
