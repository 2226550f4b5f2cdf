"""Cancelling many runs at once, by the API."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from chalicelib.core.bulk import Place
from chalicelib.core.cancellations import CancellationState
from chalicelib.core.clock import from_datetime
from chalicelib.core.messages import CancellationMessage
from chalicelib.engine import cancellations
from chalicelib.engine.services import Delivery
from chalicelib.sdk import Cancel, Context, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell
from tests.scenarios.insides import items


@function(fn_id="reminder", trigger=TriggerEvent(event="cart.left"), cancel=Cancel(event="order"))
def reminder(ctx: Context) -> str:
    ctx.step.sleep("a-day", "1d")
    return ctx.step.run("remind", lambda: "reminded")


@function(fn_id="other", trigger=TriggerEvent(event="cart.left"))
def other(ctx: Context) -> str:
    ctx.step.wait_for_event("never", event="never", timeout="2d")
    return "done"


def cancel(
    kit: Stepwell,
    *,
    if_exp: str | None = None,
    after: datetime | None = None,
    before: datetime | None = None,
    fn_id: str = "reminder",
) -> CancellationState:
    state = cancellations.create(
        kit.platform.services,
        app_id="",
        function_id=fn_id,
        started_after_ms=None if after is None else from_datetime(after),
        started_before_ms=from_datetime(before or kit.now),
        if_exp=if_exp,
    )
    kit.drain()
    return state


def look(kit: Stepwell, state: CancellationState) -> dict[str, Any]:
    return cancellations.find(kit.platform.services, state.job.id).wire()


def carts(*numbers: Any) -> list[dict[str, Any]]:
    return [{"name": "cart.left", "data": {"cart": number}} for number in numbers]


def statuses(kit: Stepwell, fn_id: str = "reminder") -> list[str]:
    return [run.status.value for run in kit.runs(fn_id)]


def test_all_runs_of_the_function_and_no_others() -> None:
    with start_stepwell([reminder, other]) as kit:
        kit.send(carts(1, 2, 3))
        kit.advance("1h")

        state = cancel(kit)

        assert statuses(kit) == ["Cancelled"] * 3
        assert statuses(kit, "other") == ["Running"] * 3
        found = look(kit, state)
        assert (found["status"], found["cancelled"], found["looked_at"]) == ("Running", 3, 3)
        kit.advance("2m")
        found = look(kit, state)
        assert (found["status"], found["cancelled"], found["looked_at"]) == ("Completed", 3, 3)
        assert kit.counts["RunsCancelled"] == 3
        assert not [row for row in items(kit, "pauses") if "pause" in row and "reminder" in row["pause"]]


def test_the_timeline_tells_which_cancellation_it_was() -> None:
    with start_stepwell([reminder]) as kit:
        kit.send(carts(1))
        kit.advance("1m")
        state = cancel(kit)

        run = kit.only_run()
        assert run.error == "cancelled in bulk by the API"
        assert run.timeline[-1]["type"] == "run.cancelled"
        assert run.timeline[-1]["cause"] == {"kind": "api", "id": state.job.id, "name": "bulk cancellation"}
        assert [event["data"]["run_id"] for event in kit.events("inngest/function.cancelled")] == [run.run_id]


def test_only_runs_of_the_time_that_is_named() -> None:
    with start_stepwell([reminder]) as kit:
        times = []
        for number in range(4):
            times.append(kit.now)
            kit.send(carts(number))
            kit.advance("1h")

        state = cancel(kit, after=times[1], before=times[3])

        assert statuses(kit) == ["Running", "Cancelled", "Cancelled", "Running"]
        # Nothing of that time can be missing from the list any more.
        assert look(kit, state)["status"] == "Completed"


@pytest.mark.parametrize(
    ("condition", "expected", "errors"),
    [
        ("event.data.cart == 2", [False, True, False, False], 0),
        ("event.data.cart > 1", [False, True, True, False], 0),
        ("event.name == 'cart.left'", [True] * 4, 0),
        ("event.data.cart == 'x'", [False, False, False, True], 0),
        ("event.data.nothing.at.all == 1", [False] * 4, 0),
        ("6 / event.data.cart == 3", [False, True, False, False], 1),
    ],
)
def test_only_runs_whose_event_fulfils_the_condition(condition: str, expected: list[bool], errors: int) -> None:
    with start_stepwell([reminder]) as kit:
        kit.send(carts(1, 2, 3, "x"))
        kit.advance("1h")

        state = cancel(kit, if_exp=condition)
        kit.advance("2m")

        assert [status == "Cancelled" for status in statuses(kit)] == expected
        assert (look(kit, state)["cancelled"], look(kit, state)["errors"]) == (sum(expected), errors)
        assert kit.counts.get("ExpressionErrors", 0) == errors


def test_runs_that_have_ended_stay_as_they_are() -> None:
    with start_stepwell([reminder]) as kit:
        kit.send(carts(1))
        kit.advance("25h")
        kit.send(carts(2))
        kit.advance("1h")

        state = cancel(kit)
        kit.advance("2m")

        assert statuses(kit) == ["Completed", "Cancelled"]
        assert (look(kit, state)["cancelled"], look(kit, state)["looked_at"]) == (1, 2)


def test_runs_that_are_started_afterwards_go_on() -> None:
    with start_stepwell([reminder]) as kit:
        kit.send(carts(1))
        kit.advance("1m")
        cancel(kit)
        kit.send(carts(2))
        kit.advance("5m")

        assert statuses(kit) == ["Cancelled", "Running"]


def test_a_run_that_the_list_did_not_have_yet_is_found_by_a_second_look() -> None:
    """The list of runs is an index that follows the table; here it lacks a run for the first look."""
    with start_stepwell([reminder]) as kit:
        kit.send(carts(1, 2))
        kit.advance("30s")
        early, late = (run.run_id for run in kit.runs())
        blind = _Blind(kit.platform.services.runs, late)
        services = replace(kit.platform.services, runs=blind)
        kit.platform = kit.pump.platform = replace(kit.platform, services=services)

        state = cancel(kit)
        assert [kit.run(run_id).status for run_id in (early, late)] == ["Cancelled", "Running"]
        blind.sees_all = True
        kit.advance("2m")

        assert statuses(kit) == ["Cancelled", "Cancelled"]
        found = look(kit, state)
        assert (found["status"], found["cancelled"], found["looked_at"]) == ("Completed", 2, 2)


class _Blind:
    """The runs table with an index that lags."""

    def __init__(self, runs: Any, hidden: str) -> None:
        self._runs = runs
        self._hidden = hidden
        self.sees_all = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runs, name)

    def page(self, fn_id: str, *, before: str, limit: int) -> list[str]:
        found: list[str] = self._runs.page(fn_id, before=before, limit=limit)
        return found if self.sees_all else [one for one in found if self._hidden not in one]


def test_many_are_cancelled_page_by_page() -> None:
    with start_stepwell([reminder], MATCH_PAGE="4") as kit:
        kit.send(carts(*range(30)))
        kit.advance("1h")
        before = kit.pump.deliveries

        state = cancel(kit)
        kit.advance("2m")

        assert statuses(kit) == ["Cancelled"] * 30
        found = look(kit, state)
        assert (found["status"], found["cancelled"], found["looked_at"]) == ("Completed", 30, 30)
        assert kit.pump.deliveries - before >= 8


def test_one_that_is_stopped_cancels_no_more() -> None:
    with start_stepwell([reminder], MATCH_PAGE="2") as kit:
        kit.send(carts(*range(6)))
        kit.advance("1h")
        s = kit.platform.services
        state = cancellations.create(
            s,
            app_id="",
            function_id="reminder",
            started_after_ms=None,
            started_before_ms=from_datetime(kit.now),
            if_exp=None,
        )
        kit.pump.deliver_event()

        stopped = cancellations.stop(s, state.job.id).wire()
        kit.drain()
        kit.advance("5m")

        assert (stopped["status"], stopped["cancelled"]) == ("Stopped", 2)
        assert sorted(statuses(kit)) == ["Cancelled"] * 2 + ["Running"] * 4
        assert look(kit, state) == stopped
        assert cancellations.stop(s, state.job.id).wire() == stopped


def test_one_that_is_over_stays_as_it_is_when_it_is_stopped() -> None:
    with start_stepwell([reminder]) as kit:
        kit.send(carts(1))
        state = cancel(kit)
        kit.advance("2m")
        over = look(kit, state)

        assert cancellations.stop(kit.platform.services, state.job.id).wire() == over


def test_a_message_that_comes_again_changes_nothing() -> None:
    with start_stepwell([reminder], MATCH_PAGE="2") as kit:
        kit.send(carts(*range(5)))
        kit.advance("1h")
        state = cancel(kit)
        kit.advance("2m")
        over = look(kit, state)
        s = kit.platform.services

        for place in (Place(), Place(look=2)):
            for receives in (1, 2):
                delivery = Delivery("m", "n", receives, s.clock.now_ms() + 60_000)
                cancellations.go_on(s, CancellationMessage(cancellation=state.job, place=place), delivery)

        assert kit.pump.visible() == 0
        assert look(kit, state) == over


def test_runs_of_a_function_that_is_gone_can_be_cancelled() -> None:
    with start_stepwell([reminder, other]) as kit:
        kit.send(carts(1))
        kit.deploy([other])
        kit.advance("1m")

        cancel(kit)

        assert statuses(kit) == ["Cancelled"]
