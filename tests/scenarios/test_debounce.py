"""Of events that follow each other closely the newest starts a run."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.sdk import Context, Debounce, InvalidFunction, NonRetriableError, Throttle, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell


@function(
    fn_id="sync",
    trigger=TriggerEvent(event="changed"),
    debounce=Debounce(period="30s", key="event.data.user", timeout="90s"),
)
def sync(ctx: Context) -> object:
    return ctx.event.data["n"]


@function(fn_id="tidy", trigger=TriggerEvent(event="used"), debounce=Debounce(period="2d", timeout="3d"))
def tidy(ctx: Context) -> object:
    return ctx.event.data["n"]


def outputs(kit: Stepwell) -> list[object]:
    return [run.output for run in kit.runs()]


def change(kit: Stepwell, n: int, user: str = "u1", **fields: Any) -> dict[str, Any]:
    """Send one; how its audit is found again."""
    [event_id] = kit.send([{"name": "changed", "data": {"n": n, "user": user}, **fields}])
    return {"id": event_id}


def audit(kit: Stepwell, sent: dict[str, Any]) -> dict[str, Any]:
    shown = kit.event(sent["id"])
    [joined] = shown["joined"]
    return {
        "used": joined["used"],
        "until": joined["until"] and joined["until"][:19],
        "run_id": joined["run_id"],
        "started": [start["run_id"] for start in shown["started"]],
        "not_started": [one["reason"] for one in shown["not_started"]],
    }


def test_a_run_starts_with_the_newest_when_it_is_quiet() -> None:
    with start_stepwell([sync]) as kit:
        for n in (1, 2, 3):
            change(kit, n)
            kit.advance("20s")
        assert kit.runs() == []

        kit.advance("10s")

        run = kit.only_run()
        assert run.output == 3
        assert run.history[:3] == ["run.created", "run.debounced", "run.started"]
        [entry] = [entry for entry in run.timeline if entry["type"] == "run.debounced"]
        assert (entry["count"], entry["since"][:19]) == (3, "2026-01-05T09:00:00")


def test_at_the_latest_it_starts_so_long_after_the_first() -> None:
    with start_stepwell([sync]) as kit:
        for n in range(8):
            change(kit, n)
            kit.advance("20s")
        kit.advance("1m")

        # At 90 seconds with that of second 80, and then when it is quiet.
        assert outputs(kit) == [4, 7]


def test_each_value_of_the_key_waits_by_itself() -> None:
    with start_stepwell([sync]) as kit:
        change(kit, 1, "u1")
        change(kit, 2, "u2")
        kit.advance("20s")
        change(kit, 3, "u1")
        kit.advance("10s")
        assert outputs(kit) == [2]

        kit.advance("21s")
        assert outputs(kit) == [2, 3]


def test_the_newest_is_the_one_with_the_latest_time_of_the_sender() -> None:
    with start_stepwell([sync]) as kit:
        for n, ts in enumerate((1_000, 3_000, 2_000)):
            change(kit, n, ts=ts)
        kit.advance("31s")

        assert kit.only_run().output == 1


def test_the_audit_says_until_when_it_waits_and_then_what_became_of_it() -> None:
    with start_stepwell([sync]) as kit:
        first = change(kit, 1)
        waiting = audit(kit, first)
        kit.advance("10s")
        second = change(kit, 2)

        assert waiting["until"] == "2026-01-05T09:00:30"
        for sent in (first, second):
            assert audit(kit, sent) == {
                "used": None,
                "until": "2026-01-05T09:00:40",
                "run_id": waiting["run_id"],
                "started": [],
                "not_started": [],
            }
        kit.advance("31s")

        run_id = kit.only_run().run_id
        assert run_id == waiting["run_id"]
        told = f"the debounce has a later event, which starts run {run_id}"
        assert audit(kit, first) == {
            "used": False,
            "until": None,
            "run_id": run_id,
            "started": [],
            "not_started": [told],
        }
        assert audit(kit, second) == {
            "used": True,
            "until": None,
            "run_id": run_id,
            "started": [run_id],
            "not_started": [],
        }


def test_a_long_one_is_due_to_the_second() -> None:
    with start_stepwell([tidy]) as kit:
        kit.send("used", {"n": 1})
        kit.advance("47h")
        kit.send("used", {"n": 2})
        kit.advance("24h59m")
        assert kit.runs() == []

        kit.advance("1m2s")

        run = kit.only_run()
        assert run.output == 2
        [started] = [entry["at"] for entry in run.timeline if entry["type"] == "run.started"]
        assert started[:18] == "2026-01-08T09:00:0"
        kit.collect()
        assert "RunsPoked" not in kit.counts


def test_one_whose_key_cannot_be_evaluated_waits_under_null() -> None:
    @function(
        fn_id="doubled",
        trigger=TriggerEvent(event="doubled"),
        debounce=Debounce(period="5s", key="event.data.user + 1"),
    )
    def doubled(ctx: Context) -> object:
        return ctx.event.data["user"]

    with start_stepwell([doubled]) as kit:
        [event_id] = kit.send("doubled", {"user": "u1"})
        kit.send("doubled", {"user": "u2"})
        kit.advance("6s")

        assert kit.only_run().output == "u2"
        [note] = kit.event(event_id)["notes"]
        assert note["note"].startswith("debounce.key could not be evaluated: ")
        assert note["note"].endswith("; it counts as null")


def test_steps_that_invoke_it_are_answered_by_its_run_or_told_that_they_were_overtaken() -> None:
    @function(fn_id="slow", trigger=TriggerEvent(event="x"), debounce=Debounce(period="10s"))
    def slow(ctx: Context) -> object:
        return ctx.event.data["n"]

    @function(fn_id="caller", trigger=TriggerEvent(event="call"))
    def caller(ctx: Context) -> object:
        return ctx.step.invoke("it", function=slow, data={"n": ctx.event.data["n"]})

    with start_stepwell([slow, caller]) as kit:
        kit.send("call", {"n": 1})
        kit.advance("5s")
        kit.send("call", {"n": 2})
        kit.advance("11s")

        first, second = kit.runs(caller)
        assert [run.output for run in kit.runs(slow)] == [2]
        assert second.output == 2
        assert first.status == "Failed"
        assert f"the debounce has a later event, which starts run {kit.runs(slow)[0].run_id}" in (first.error or "")


def test_a_throttle_holds_for_what_a_debounce_becomes() -> None:
    @function(
        fn_id="both",
        trigger=TriggerEvent(event="both"),
        debounce=Debounce(period="1s", key="event.data.user"),
        throttle=Throttle(limit=1, period="1h"),
    )
    def both(ctx: Context) -> object:
        return ctx.event.data["user"]

    with start_stepwell([both]) as kit:
        kit.send([{"name": "both", "data": {"user": user}} for user in ("u1", "u1", "u2")])
        kit.advance("5s")

        assert sorted(run.status for run in kit.runs()) == ["Completed", "Queued"]
        kit.advance("1h")
        assert sorted(map(str, outputs(kit))) == ["u1", "u2"]


def test_a_repeated_id_joins_nothing() -> None:
    with start_stepwell([sync]) as kit:
        change(kit, 1, id="same")
        change(kit, 2, id="same")
        kit.advance("31s")
        change(kit, 3, id="same")
        kit.advance("31s")

        assert outputs(kit) == [1]


def test_what_was_debounced_may_fail_and_is_retried_like_any_run() -> None:
    @function(fn_id="broken", trigger=TriggerEvent(event="broken"), debounce=Debounce(period="1s"))
    def broken(_ctx: Context) -> None:
        raise NonRetriableError("no")

    with start_stepwell([broken]) as kit:
        kit.send("broken")
        kit.advance("2s")

        assert kit.only_run().status == "Failed"


@pytest.mark.parametrize(
    ("debounce", "told"),
    [
        (Debounce(period="500ms"), r"debounce.period: .*from 1s to 7d"),
        (Debounce(period="8d"), r"debounce.period: .*from 1s to 7d"),
        (Debounce(period="1s", timeout="soon"), r"debounce.timeout: "),
        (Debounce(period="1s", key="async.data.x"), r"debounce.key: "),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_written(debounce: Debounce, told: str) -> None:
    with pytest.raises(InvalidFunction, match=f"function 'broken': {told}"):

        @function(fn_id="broken", trigger=TriggerEvent(event="x"), debounce=debounce)
        def broken(_ctx: Context) -> None: ...


def test_with_an_idempotency_key_a_repeated_value_makes_nothing_wait_longer() -> None:
    @function(
        fn_id="once",
        trigger=TriggerEvent(event="once"),
        debounce=Debounce(period="30s"),
        idempotency="event.data.key",
    )
    def once(ctx: Context) -> object:
        return ctx.event.data["n"]

    with start_stepwell([once]) as kit:
        kit.send("once", {"key": "a", "n": 1})
        kit.advance("20s")
        [again] = kit.send("once", {"key": "a", "n": 2})
        kit.advance("11s")

        assert kit.only_run().output == 1
        [skipped] = kit.event(again)["not_started"]
        assert skipped["reason"] == 'an event with the idempotency key "a" came before within 24 hours'
        assert kit.event(again)["joined"] == []
