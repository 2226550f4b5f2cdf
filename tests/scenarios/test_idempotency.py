"""One run for each value of a key in 24 hours."""

from __future__ import annotations

import pytest

from chalicelib.sdk import Context, InvalidFunction, StepError, TriggerCron, TriggerEvent, function
from chalicelib.testing import start_stepwell


@function(
    fn_id="charge",
    trigger=[TriggerEvent(event="order"), TriggerCron(cron="0 3 * * *")],
    idempotency="event.data.cart.id + event.data.suffix",
)
def charge(ctx: Context) -> object:
    return ctx.event.data.get("n")


@function(fn_id="pack", trigger=TriggerEvent(event="order"), idempotency="event.data.cart.id")
def pack(ctx: Context) -> object:
    return ctx.event.data["n"]


def test_another_event_with_the_key_starts_nothing_and_its_audit_names_the_run() -> None:
    with start_stepwell([charge]) as kit:
        kit.send("order", {"n": 1, "cart": {"id": "c"}, "suffix": "-1"})
        kit.advance("16h")
        [again] = kit.send("order", {"n": 2, "cart": {"id": "c-"}, "suffix": "1"})
        kit.send("order", {"n": 3, "cart": {"id": "c"}, "suffix": "-2"})

        first, other = [run for run in kit.runs() if run.output is not None]
        assert (first.output, other.output) == (1, 3)
        assert kit.event(again)["not_started"] == [
            {
                "function_id": "charge",
                "reason": f'the idempotency key "c-1" already started run {first.run_id} within 24 hours',
            }
        ]


def test_after_24_hours_it_starts_one_again() -> None:
    with start_stepwell([pack]) as kit:
        kit.send("order", {"n": 1, "cart": {"id": "c-1"}})
        kit.advance("24h1s")
        kit.send("order", {"n": 2, "cart": {"id": "c-1"}})

        assert [run.output for run in kit.runs()] == [1, 2]


def test_keys_are_each_functions_own() -> None:
    with start_stepwell([charge, pack]) as kit:
        kit.send("order", {"n": 1, "cart": {"id": "c-1"}, "suffix": ""})
        kit.send("order", {"n": 2, "cart": {"id": "c-1"}, "suffix": ""})

        assert [run.output for run in kit.runs(charge)] == [run.output for run in kit.runs(pack)] == [1]


def test_a_key_that_cannot_be_evaluated_loses_no_run() -> None:
    with start_stepwell([charge]) as kit:
        ids = [kit.send("order", {"n": n, "cart": {"id": "c-1"}, "suffix": 7})[0] for n in (1, 2)]

        assert [run.output for run in kit.runs()] == [1, 2]
        [note] = kit.event(ids[1])["notes"]
        assert note["function_id"] == "charge"
        assert note["note"].startswith("idempotency could not be evaluated: ")
        assert note["note"].endswith("; it does not hold for this event")


def test_events_that_lack_what_the_key_is_made_of_are_not_taken_for_one() -> None:
    with start_stepwell([pack]) as kit:
        ids = [kit.send("order", {"n": n})[0] for n in (1, 2)]

        assert [run.output for run in kit.runs()] == [1, 2]
        assert kit.event(ids[0])["notes"] == [
            {"function_id": "pack", "note": "idempotency is null; it does not hold for this event"}
        ]


def test_who_invokes_it_is_told_that_nothing_was_started() -> None:
    @function(fn_id="caller", trigger=TriggerEvent(event="call"))
    def caller(ctx: Context) -> object:
        first = ctx.step.invoke("first", function=pack, data={"n": 1, "cart": {"id": "c-1"}})
        try:
            ctx.step.invoke("second", function=pack, data={"n": 2, "cart": {"id": "c-1"}})
        except StepError as error:
            return [first, error.message]
        return None

    with start_stepwell([caller, pack]) as kit:
        kit.send("call")

        first, message = kit.only_run(caller).output
        assert first == 1
        assert message.startswith('the function pack was not started: the idempotency key "c-1" already started run')
        assert len(kit.runs(pack)) == 1


def test_a_key_that_cannot_be_read_is_refused_where_it_is_written() -> None:
    with pytest.raises(InvalidFunction, match=r"function 'broken': idempotency: .*line 1"):

        @function(fn_id="broken", trigger=TriggerEvent(event="x"), idempotency="event.data.")
        def broken(_ctx: Context) -> None: ...
