"""At most so many starts in a period."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.sdk import Context, InvalidFunction, RateLimit, StepError, TriggerEvent, function
from chalicelib.testing import start_stepwell


@function(
    fn_id="sync",
    trigger=TriggerEvent(event="changed"),
    rate_limit=RateLimit(limit=2, period=timedelta(hours=1), key="event.data.user"),
)
def sync(ctx: Context) -> object:
    return ctx.event.data["n"]


def test_what_is_more_is_dropped_and_the_audit_says_until_when() -> None:
    with start_stepwell([sync]) as kit:
        kit.send([{"name": "changed", "data": {"user": "u", "n": n}} for n in (1, 2)])
        kit.advance("30m")
        [dropped] = kit.send("changed", {"user": "u", "n": 3})
        kit.send("changed", {"user": "another", "n": 4})

        assert sorted(run.output for run in kit.runs()) == [1, 2, 4]
        [row] = kit.event(dropped)["not_started"]
        assert row["function_id"] == "sync"
        assert row["reason"].startswith('the rate limit of 2 in 1h for the key "u" was reached, until 2026-01-05T10:00')


def test_a_period_after_the_first_there_is_room_again() -> None:
    with start_stepwell([sync]) as kit:
        kit.send("changed", {"user": "u", "n": 1})
        kit.advance("40m")
        kit.send("changed", {"user": "u", "n": 2})
        kit.advance("19m")
        kit.send("changed", {"user": "u", "n": 3})
        kit.advance("2m")
        kit.send("changed", {"user": "u", "n": 4})
        kit.send("changed", {"user": "u", "n": 5})

        assert [run.output for run in kit.runs()] == [1, 2, 4]


def test_a_key_that_cannot_be_evaluated_counts_as_null() -> None:
    @function(
        fn_id="broken-key",
        trigger=TriggerEvent(event="changed"),
        rate_limit=RateLimit(limit=1, period="1h", key="event.data.n + 1"),
    )
    def broken_key(ctx: Context) -> object:
        return ctx.event.data["n"]

    with start_stepwell([broken_key]) as kit:
        [first] = kit.send("changed", {"n": "text"})
        [second] = kit.send("changed", {"n": [1]})

        assert [run.output for run in kit.runs()] == ["text"]
        for event_id in (first, second):
            [note] = kit.event(event_id)["notes"]
            assert note["note"].startswith("rateLimit.key could not be evaluated: ")
        assert "for the key null" in kit.event(second)["not_started"][0]["reason"]


def test_who_invokes_it_is_told() -> None:
    @function(fn_id="caller", trigger=TriggerEvent(event="call"))
    def caller(ctx: Context) -> object:
        found = []
        for n in range(3):
            try:
                found.append(ctx.step.invoke(f"call-{n}", function=sync, data={"user": "u", "n": n}))
            except StepError as error:
                found.append(error.name)
        return found

    with start_stepwell([caller, sync]) as kit:
        kit.send("call")

        assert kit.only_run(caller).output == [0, 1, "FunctionNotStarted"]


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        (RateLimit(limit=0, period="1h"), r"rate_limit.limit: .*greater than or equal to 1"),
        (RateLimit(limit=1, period="25h"), r"rate_limit.period: .*from 1s to 24h"),
        (RateLimit(limit=1, period="soon"), r"rate_limit.period: .*write numbers with units"),
        (RateLimit(limit=1, period="1h", key="event."), r"rate_limit.key: .*line 1"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_written(limit: RateLimit, says: str) -> None:
    with pytest.raises(InvalidFunction, match=f"function 'broken': {says}"):

        @function(fn_id="broken", trigger=TriggerEvent(event="x"), rate_limit=limit)
        def broken(_ctx: Context) -> None: ...
