"""Events that came before the wait."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.sdk import Context, Event, Function, InvalidFunction, StepError, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell
from tests.scenarios.insides import Died, items, replace_services

SAME_USER = "async.data.user == event.data.user"
Lookback = Any


def numbers(*found: Event | None) -> list[Any]:
    return [None if event is None else event.data.get("n") for event in found]


def sleeper(lookback: Lookback, **options: Any) -> Function[Any]:
    """It sleeps for an hour before it waits."""

    @function(fn_id="sleeper", trigger=TriggerEvent(event="start"), **options)
    def sleeper(ctx: Context) -> Any:
        ctx.step.sleep("an-hour", "1h")
        return numbers(
            ctx.step.wait_for_event("wait", event="answer", if_exp=SAME_USER, timeout="1d", lookback=lookback)
        )

    return sleeper


def start(kit: Stepwell) -> None:
    kit.send("start", {"user": "u1"})


def answer(kit: Stepwell, n: int, user: str = "u1") -> str:
    [event_id] = kit.send("answer", {"user": user, "n": n})
    return event_id


def is_clean(kit: Stepwell) -> bool:
    rows, _ = kit.platform.services.pauses.scan(None, 1_000)
    timers = [item for item in items(kit, "timers") if "message" in item]
    counts = (kit.pump.visible(), kit.pump.in_flight(), kit.pump.dead_letters())
    return rows == [] and timers == [] and counts == (0, 0, 0)


# which event is taken


def test_an_event_that_comes_before_the_wait_is_found() -> None:
    with start_stepwell([sleeper("run")]) as kit:
        start(kit)
        event_id = answer(kit, 1)
        kit.advance("1h")

        run = kit.only_run()
        assert run.output == [1]
        assert run.steps["wait"].caused_by == "answer"
        assert [entry["run_id"] for entry in kit.event(event_id)["resumed"]] == [run.run_id]
        assert is_clean(kit)


def test_it_is_not_found_by_a_wait_that_does_not_look_back() -> None:
    with start_stepwell([sleeper(None)]) as kit:
        start(kit)
        answer(kit, 1)
        kit.advance("2h")

        assert kit.only_run().steps["wait"].status == "waiting"


def test_the_timeline_tells_it() -> None:
    with start_stepwell([sleeper("run")]) as kit:
        start(kit)
        answer(kit, 1)
        kit.advance("1h")

        by_type = {entry["type"]: entry for entry in kit.only_run().timeline if entry.get("step") == "wait"}
        assert by_type["step.waiting"]["lookback"] == "run"
        assert by_type["step.resumed"]["looked_back"] is True


def test_the_newest_of_several_is_taken() -> None:
    with start_stepwell([sleeper("run")]) as kit:
        start(kit)
        for n in (1, 2, 3):
            answer(kit, n)
            kit.advance("1m")
        answer(kit, 4, user="u2")
        kit.advance("1h")

        assert kit.only_run().output == [3]


def test_of_events_accepted_within_one_millisecond_the_last_is_taken() -> None:
    with start_stepwell([sleeper("run")]) as kit:
        start(kit)
        kit.send([{"name": "answer", "data": {"user": "u1", "n": n}} for n in range(8)])
        kit.advance("1h")

        assert kit.only_run().output == [7]


def test_an_event_before_the_trigger_is_not_taken() -> None:
    with start_stepwell([sleeper("run")]) as kit:
        answer(kit, 1)
        start(kit)
        kit.advance("2h")

        assert kit.only_run().steps["wait"].status == "waiting"


def test_the_trigger_itself_is_not_taken() -> None:
    @function(fn_id="echo", trigger=TriggerEvent(event="ping"))
    def echo(ctx: Context) -> Any:
        return numbers(ctx.step.wait_for_event("next", event="ping", timeout="1h", lookback="run"))

    with start_stepwell([echo]) as kit:
        kit.send("ping", {"n": 1})
        assert kit.only_run().status == "Running"

        kit.send("ping", {"n": 2})
        assert [run.output for run in kit.runs()] == [[2], None]


@pytest.mark.parametrize(
    ("lookback", "found"),
    [("29m", None), ("31m", 1), (timedelta(minutes=31), 1), (31 * 60_000, 1), ("2h", 1), (0, None), ("run", 1)],
)
def test_how_far_it_looks_back(lookback: Lookback, found: int | None) -> None:
    with start_stepwell([sleeper(lookback)]) as kit:
        start(kit)
        kit.advance("30m")
        answer(kit, 1)
        kit.advance("30m")

        output = kit.only_run().output
        assert output == (None if found is None else [found])


def test_an_event_that_was_accepted_before_the_wait_and_is_processed_after_it() -> None:
    @function(fn_id="napper", trigger=TriggerEvent(event="start"))
    def napper(ctx: Context) -> Any:
        ctx.step.sleep("nap", "20s")
        return numbers(ctx.step.wait_for_event("wait", event="answer", timeout="1h", lookback="run"))

    with start_stepwell([napper]) as kit:
        start(kit)
        kit.send_only("answer", {"user": "u1", "n": 1})
        late = kit.pump.hold("events")
        kit.advance("25s")
        assert kit.only_run().steps["wait"].status == "waiting"

        assert kit.pump.deliver("events", late)
        kit.drain()

        assert kit.only_run().output == [1]
        assert "looked_back" not in kit.only_run().timeline[-2]


def test_an_event_that_comes_after_the_wait_is_met_as_ever() -> None:
    with start_stepwell([sleeper("run")]) as kit:
        start(kit)
        kit.advance("2h")
        answer(kit, 1)

        assert kit.only_run().output == [1]
        assert is_clean(kit)


def test_nothing_is_found_and_the_time_is_over() -> None:
    with start_stepwell([sleeper("run")]) as kit:
        start(kit)
        kit.advance("26h")

        assert kit.only_run().output == [None]
        assert is_clean(kit)


def test_a_look_without_waiting() -> None:
    @function(fn_id="glance", trigger=TriggerEvent(event="start"))
    def glance(ctx: Context) -> Any:
        ctx.step.sleep("an-hour", "1h")
        return numbers(
            ctx.step.wait_for_event("seen", event="answer", timeout=0, lookback="run"),
            ctx.step.wait_for_event("unseen", event="question", timeout=0, lookback="run"),
        )

    with start_stepwell([glance]) as kit:
        start(kit)
        answer(kit, 1)
        kit.advance("61m")

        assert kit.only_run().output == [1, None]
        assert is_clean(kit)


# conditions


@pytest.mark.parametrize(
    ("if_exp", "found"),
    [
        ("async.data.n == 2", 2),
        ("async.data.n < 3", 2),
        ("async.data.user == event.data.user && async.data.n != 3", 2),
        ("async.data.n in [1, 7]", 1),
        ("event.data.user == 'u1'", 3),
        ("event.data.user == 'u9'", None),
        ("async.data.n == 9", None),
    ],
)
def test_the_condition_decides(if_exp: str, found: int | None) -> None:
    @function(fn_id="choosy", trigger=TriggerEvent(event="start"))
    def choosy(ctx: Context) -> Any:
        ctx.step.sleep("an-hour", "1h")
        return numbers(ctx.step.wait_for_event("wait", event="answer", if_exp=if_exp, timeout="1h", lookback="run"))

    with start_stepwell([choosy]) as kit:
        start(kit)
        for n in (1, 2, 3):
            answer(kit, n)
        kit.advance("3h")

        assert kit.only_run().output == [found]


def test_an_event_of_which_the_condition_cannot_be_evaluated_does_not_match() -> None:
    @function(fn_id="divider", trigger=TriggerEvent(event="start"))
    def divider(ctx: Context) -> Any:
        ctx.step.sleep("an-hour", "1h")
        return numbers(
            ctx.step.wait_for_event(
                "wait", event="answer", if_exp="6 / async.data.n == 3", timeout="1h", lookback="run"
            )
        )

    with start_stepwell([divider]) as kit:
        start(kit)
        for n in (2, 0):
            answer(kit, n)
        kit.advance("1h")

        assert kit.only_run().output == [2]
        assert kit.counts["ExpressionErrors"] == 1


def test_an_expression_that_cannot_be_read_fails_the_step() -> None:
    @function(fn_id="wrong", trigger=TriggerEvent(event="start"))
    def wrong(ctx: Context) -> str:
        try:
            ctx.step.wait_for_event("wait", event="answer", if_exp="async.data.", timeout="1h", lookback="run")
        except StepError as error:
            return error.message
        return ""

    with start_stepwell([wrong]) as kit:
        start(kit)
        assert "the condition of wait_for_event 'wait'" in str(kit.only_run().output)


# consumed


@function(fn_id="in-turn", trigger=TriggerEvent(event="start"))
def in_turn(ctx: Context) -> Any:
    first = ctx.step.wait_for_event("first", event="answer", timeout="1d", lookback="run")
    ctx.step.sleep("an-hour", "1h")
    second = ctx.step.wait_for_event("second", event="answer", timeout="1h", lookback="run")
    return numbers(first, second)


def test_an_event_that_an_earlier_wait_consumed_is_not_taken_again() -> None:
    with start_stepwell([in_turn]) as kit:
        start(kit)
        answer(kit, 1)
        kit.advance("3h")

        assert kit.only_run().output == [1, None]


def test_but_another_one_of_the_time_between_is() -> None:
    with start_stepwell([in_turn]) as kit:
        start(kit)
        for n in (1, 2):
            answer(kit, n)
        kit.advance("3h")

        assert kit.only_run().output == [1, 2]


def test_a_consumed_event_that_is_delivered_again_resumes_no_later_wait() -> None:
    with start_stepwell([in_turn]) as kit:
        start(kit)
        kit.send_only("answer", {"n": 1})
        held = kit.pump.hold("events")
        assert kit.pump.deliver("events", held, acknowledge=False)
        kit.advance("61m")
        assert kit.only_run().steps["second"].status == "waiting"

        assert kit.pump.deliver("events", held)
        kit.advance("2h")

        assert kit.only_run().output == [1, None]


def test_an_event_that_another_run_consumed_is_taken() -> None:
    with start_stepwell([in_turn]) as kit:
        start(kit)
        start(kit)
        answer(kit, 1)
        start(kit)
        answer(kit, 2)
        kit.advance("3h")

        assert [run.output for run in kit.runs()] == [[1, 2], [1, 2], [2, None]]


def test_waits_side_by_side_may_take_the_same_event() -> None:
    @function(fn_id="both", trigger=TriggerEvent(event="start"))
    def both(ctx: Context) -> Any:
        ctx.step.sleep("an-hour", "1h")

        def wait(name: str) -> Event | None:
            return ctx.step.wait_for_event(name, event="answer", timeout="1h", lookback="run")

        left, right = ctx.group.parallel((lambda: wait("left"), lambda: wait("right")))
        return numbers(left, right, wait("after"))

    with start_stepwell([both]) as kit:
        start(kit)
        answer(kit, 1)
        kit.advance("3h")

        assert kit.only_run().output == [1, 1, None]
        assert is_clean(kit)


@pytest.mark.parametrize("lookback", ["run", None])
def test_many_consumed_events_are_remembered(lookback: Lookback, monkeypatch: pytest.MonkeyPatch) -> None:
    # More than the rows of a wait list: the step does.
    monkeypatch.setattr("chalicelib.core.limits.MAX_SPENT_LISTED", 2)

    @function(fn_id="collector", trigger=TriggerEvent(event="start"))
    def collector(ctx: Context) -> Any:
        names = [f"wait-{number}" for number in range(5)]
        return numbers(
            *(ctx.step.wait_for_event(name, event="answer", timeout="1h", lookback=lookback) for name in names)
        )

    with start_stepwell([collector]) as kit:
        start(kit)
        sent = []
        for n in range(4):
            kit.send_only("answer", {"n": n})
            sent.append(kit.pump.hold("events"))
            assert kit.pump.deliver("events", sent[-1], acknowledge=False)
            kit.drain()
        assert kit.only_run().steps["wait-4"].status == "waiting"

        for held in sent:
            assert kit.pump.deliver("events", held)
            kit.drain()
        assert kit.only_run().steps["wait-4"].status == "waiting"

        answer(kit, 4)
        assert kit.only_run().output == [0, 1, 2, 3, 4]


# a function's default


def test_a_function_says_how_far_its_waits_look_back() -> None:
    with start_stepwell([sleeper(None, wait_lookback="run")]) as kit:
        start(kit)
        answer(kit, 1)
        kit.advance("1h")

        assert kit.only_run().output == [1]


def test_a_wait_that_says_so_itself_goes_before_the_function() -> None:
    with start_stepwell([sleeper(0, wait_lookback="run")]) as kit:
        start(kit)
        answer(kit, 1)
        kit.advance("1h")

        assert kit.only_run().steps["wait"].status == "waiting"


# kinds of events


def test_the_end_of_another_run_is_found() -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="job"))
    def job(ctx: Context) -> str:
        return f"done {ctx.event.data['n']}"

    @function(fn_id="watcher", trigger=TriggerEvent(event="start"))
    def watcher(ctx: Context) -> Any:
        ctx.step.sleep("an-hour", "1h")
        ended = ctx.step.wait_for_event(
            "end",
            event="inngest/function.finished",
            if_exp="async.data.result == 'done 1'",
            timeout="1h",
            lookback="run",
        )
        return None if ended is None else ended.data["result"]

    with start_stepwell([job, watcher]) as kit:
        start(kit)
        for n in (1, 2):
            kit.send("job", {"n": n})
        kit.advance("1h")

        assert kit.only_run(watcher).output == "done 1"


def test_an_event_that_the_run_itself_has_sent_is_found() -> None:
    @function(fn_id="caller", trigger=TriggerEvent(event="start"))
    def caller(ctx: Context) -> Any:
        ctx.step.send_event("ask", Event(name="answer", data={"n": 1}))
        ctx.step.sleep("an-hour", "1h")
        return numbers(ctx.step.wait_for_event("wait", event="answer", timeout="1h", lookback="run"))

    with start_stepwell([caller]) as kit:
        start(kit)
        kit.advance("1h")

        assert kit.only_run().output == [1]


# bounded


def test_a_long_look_back_keeps_how_far_it_has_come() -> None:
    with start_stepwell([sleeper("run")]) as kit:
        settings = dataclasses.replace(kit.platform.services.settings, look_back_per_turn=10)
        replace_services(kit, settings=settings)
        start(kit)
        answer(kit, 1)
        kit.send([{"name": "answer", "data": {"user": "u2"}} for _ in range(130)])
        kit.advance("1h")

        assert kit.only_run().output == [1]


@pytest.mark.parametrize("is_there", [True, False])
def test_it_goes_on_in_other_invocations_when_time_is_short(is_there: bool) -> None:
    # Less is left of each invocation than a turn hands over at: it looks at one event and hands over.
    with start_stepwell([sleeper("run")], remaining_ms=10_000) as kit:
        start(kit)
        if is_there:
            answer(kit, 1)
        kit.send([{"name": "answer", "data": {"user": "u2"}} for _ in range(30)])
        before = kit.pump.deliveries
        kit.advance("1h")

        assert kit.pump.deliveries - before > 30
        if is_there:
            assert kit.only_run().output == [1]
        else:
            assert kit.only_run().steps["wait"].status == "waiting"
            answer(kit, 2)
            assert kit.only_run().output == [2]


def test_a_wait_does_not_time_out_before_it_has_looked_back() -> None:
    @function(fn_id="glance", trigger=TriggerEvent(event="start"))
    def glance(ctx: Context) -> Any:
        ctx.step.sleep("an-hour", "1h")
        return numbers(ctx.step.wait_for_event("seen", event="answer", if_exp=SAME_USER, timeout="1s", lookback="run"))

    with start_stepwell([glance], remaining_ms=10_000) as kit:
        start(kit)
        answer(kit, 1)
        kit.send([{"name": "answer", "data": {"user": "u2"}}])
        kit.advance("59m59s")
        kit.advance_only("1s")
        while "seen" not in kit.only_run().steps:
            kit.pump.deliver_work()
        assert kit.only_run().steps["seen"].status == "waiting"
        kit.advance_only("1h")
        kit.drain()

        assert kit.only_run().output == [1]


def test_a_turn_that_dies_before_it_looks_back_is_made_up_for() -> None:
    with start_stepwell([sleeper("run")]) as kit:
        start(kit)
        answer(kit, 1)
        runs = kit.platform.services.runs

        class Dying:
            def __getattr__(self, name: str) -> Any:
                if name == "resume":
                    replace_services(kit, runs=runs)
                    raise Died
                return getattr(runs, name)

        replace_services(kit, runs=Dying())
        with pytest.raises(Died):
            kit.advance("1h")
        assert kit.only_run().steps["wait"].status == "waiting"

        kit.advance("10m")
        assert kit.only_run().output == [1]
        assert is_clean(kit)


@pytest.mark.parametrize(
    ("given", "kept"), [("run", "run"), ("1h30m", "1h30m"), (60_000, "1m"), (timedelta(days=2), "2d"), (None, None)]
)
def test_the_default_is_part_of_a_function_s_configuration(given: Lookback, kept: str | None) -> None:
    assert sleeper(None, wait_lookback=given).config.wait_lookback == kept


@pytest.mark.parametrize("given", ["runs", -1, "400d", [], True])
def test_a_default_that_cannot_be_used_is_told_where_the_function_is_written(given: Lookback) -> None:
    with pytest.raises(InvalidFunction, match=r"function 'sleeper': wait_lookback: "):
        sleeper(None, wait_lookback=given)
