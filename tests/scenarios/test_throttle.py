"""Runs that begin evenly spaced."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.core.messages import TurnMessage, work_messages
from chalicelib.sdk import Cancel, Context, InvalidFunction, Throttle, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell
from tests.scenarios.insides import items


@function(
    fn_id="call",
    trigger=TriggerEvent(event="order"),
    throttle=Throttle(limit=6, period="1m", key="event.data.shop"),
    cancel=Cancel(event="stop", if_exp="async.data.n == event.data.n"),
)
def call(ctx: Context) -> object:
    return ctx.event.data["n"]


@function(fn_id="rare", trigger=TriggerEvent(event="rarely"), throttle=Throttle(limit=1, period="1d", burst=2))
def rare(ctx: Context) -> object:
    return ctx.event.data["n"]


def begun(kit: Stepwell) -> list[float]:
    """Seconds after the first run's beginning, in order."""
    starts = [entry["at"] for run in kit.runs() for entry in run.timeline if entry["type"] == "run.started"]
    times = sorted(datetime.fromisoformat(at.replace("Z", "+00:00")).astimezone(UTC) for at in starts)
    return [round((at - times[0]).total_seconds(), 1) for at in times]


def orders(*numbers: int, shop: str = "a") -> list[dict[str, Any]]:
    return [{"name": "order", "data": {"n": n, "shop": shop}} for n in numbers]


def test_a_crowd_begins_one_after_the_other_and_all_of_it() -> None:
    with start_stepwell([call]) as kit:
        kit.send(orders(1, 2, 3, 4))
        kit.advance("1m")

        assert sorted(run.output for run in kit.runs()) == [1, 2, 3, 4]
        assert begun(kit) == [pytest.approx(n, abs=1.1) for n in (0, 10, 20, 30)]


def test_each_value_of_the_key_has_its_own_pace() -> None:
    with start_stepwell([call]) as kit:
        kit.send([*orders(1, 2), *orders(3, shop="b")])
        kit.advance("1s")

        assert sorted(run.output for run in kit.runs() if run.output is not None) in ([1, 3], [2, 3])


def test_what_waits_says_until_when() -> None:
    with start_stepwell([call]) as kit:
        kit.send("order", {"n": 1, "shop": "a"})
        kit.send("order", {"n": 2, "shop": "a"})

        _, second = kit.runs()
        assert (second.status, second.history) == ("Queued", ["run.created", "run.throttled"])
        [entry] = [entry for entry in second.timeline if entry["type"] == "run.throttled"]
        assert entry["until"].startswith("2026-01-05T09:00:10")


def test_one_that_waits_for_long_is_woken_to_the_second() -> None:
    with start_stepwell([rare]) as kit:
        for n in range(4):
            kit.send("rarely", {"n": n})
        assert [run.output for run in kit.runs()] == [0, 1, None, None]
        kit.advance("23h59m")
        assert [run.output for run in kit.runs()] == [0, 1, None, None]
        kit.advance("1m2s")
        assert [run.output for run in kit.runs()] == [0, 1, 2, None]
        kit.advance("1d")

        assert [run.output for run in kit.runs()] == [0, 1, 2, 3]
        assert begun(kit)[2:] == [pytest.approx(86_400, abs=1.5), pytest.approx(2 * 86_400, abs=1.5)]


def test_one_that_waits_can_be_cancelled_and_the_others_keep_their_times() -> None:
    with start_stepwell([call]) as kit:
        for n in (1, 2, 3):
            kit.send("order", {"n": n, "shop": "a"})
        kit.send("stop", {"n": 2})
        kit.advance("1m")

        assert [run.status for run in kit.runs()] == ["Completed", "Cancelled", "Completed"]
        assert begun(kit) == [0, pytest.approx(20, abs=1.1)]


def test_a_waiting_run_is_not_taken_for_a_forgotten_one() -> None:
    with start_stepwell([rare]) as kit:
        for n in range(3):
            kit.send("rarely", {"n": n})
        kit.advance("20h")

        kit.collect()

        assert "RunsPoked" not in kit.counts
        assert kit.runs()[2].status == "Queued"


def test_whatever_message_comes_early_does_not_begin_it() -> None:
    with start_stepwell([rare]) as kit:
        for n in range(3):
            kit.send("rarely", {"n": n})
        waiting = kit.runs()[2]
        [first] = [timer for timer in items(kit, "timers") if "message" in timer]
        kit.advance("3h")

        # A poke knows of no time. A clock that is ahead takes the timer out too soon, and its message comes twice.
        for message in (TurnMessage(run_id=waiting.run_id), *[work_messages.validate_json(first["message"])] * 2):
            kit.platform.services.queues.send_work(message)
            kit.drain()
        assert kit.run(waiting.run_id).history == ["run.created", "run.throttled"]
        kit.advance("21h2s")

        assert kit.run(waiting.run_id).output == 2
        assert begun(kit) == [0, 0, pytest.approx(86_400, abs=1.5)]


def test_what_cannot_be_is_refused_where_it_is_written() -> None:
    with pytest.raises(InvalidFunction, match=r"function 'broken': throttle.burst: .*greater than or equal to 1"):

        @function(fn_id="broken", trigger=TriggerEvent(event="x"), throttle=Throttle(limit=1, period="1m", burst=0))
        def broken(_ctx: Context) -> None: ...
