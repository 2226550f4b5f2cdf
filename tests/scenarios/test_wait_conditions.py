"""Conditions that cannot be used, and conditions with a slip of the pen."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.sdk import Cancel, Context, InvalidFunction, StepError, TriggerEvent, function
from chalicelib.testing import start_stepwell

DATA = {"account_id": "a1", "user": {"email": "ada@example.com"}}


def waiter(if_exp: Any, timeout: Any = "1h") -> Any:
    @function(fn_id="waiter", trigger=TriggerEvent(event="start"))
    def fn(ctx: Context) -> str:
        event = ctx.step.wait_for_event("wait", event="answer", if_exp=if_exp, timeout=timeout)
        return "timed out" if event is None else "resumed"

    return fn


@pytest.mark.parametrize(
    ("if_exp", "says"),
    [
        ("async.data.id = event.data.id", ["line 1", "column"]),
        ("async.data.id ==", ["line 1", "column"]),
        ("async.data.a == 1 &&\n  (async.data.b == 2", ["line 2"]),
        ("user.id == 1", ["user", "line 1, column 1"]),
        ("async.data.x == '" + "x" * 5000 + "'", ["line 1"]),
        ("(" * 500 + "true" + ")" * 500, ["line 1"]),
        ("", ["if_exp"]),
        (17, ["if_exp"]),
        ("async.data.a == '\ud800'", ["if_exp"]),
        ("matches(async.data.a, '(')", ["line 1"]),
    ],
)
def test_an_invalid_condition_fails_the_step_for_good_and_says_where(if_exp: Any, says: list[str]) -> None:
    with start_stepwell([waiter(if_exp)]) as kit:
        kit.send("start", DATA)

        run = kit.only_run()
        assert run.status == "Failed"
        assert run.error is not None
        assert "wait" in run.error
        for phrase in says:
            assert phrase in run.error
        assert run.error.count("(line ") == int("if_exp" not in says)  # The place is told once.
        # The message is acknowledged: nothing is tried again, nothing lies among the dead letters.
        assert kit.pump.visible() == kit.pump.in_flight() == kit.pump.waiting() == kit.pump.dead_letters() == 0
        kit.advance("1d")
        assert kit.only_run().history.count("step.attempt_failed") <= 1


def test_the_function_may_catch_it() -> None:
    @function(fn_id="careful", trigger=TriggerEvent(event="start"))
    def careful(ctx: Context) -> str:
        try:
            ctx.step.wait_for_event("wait", event="answer", if_exp="async.data.id === 1", timeout="1h")
        except StepError as error:
            return f"{error.name}: {error.message}"
        return "?"

    with start_stepwell([careful]) as kit:
        kit.send("start")

        run = kit.only_run()
        assert run.status == "Completed"
        assert str(run.output).startswith("InvalidExpression: the condition of wait_for_event 'wait':")
        assert "line 1, column" in str(run.output)


def test_a_typo_in_a_path_of_the_trigger_is_told_with_the_nearest_name() -> None:
    with start_stepwell([waiter("async.data.account_id == event.data.acocunt_id")]) as kit:
        kit.send("start", DATA)

        [warning] = kit.only_run().warnings
        assert "event.data.acocunt_id" in warning
        assert "event.data.account_id" in warning
        kit.send("answer", {"account_id": "a1"})
        kit.advance("2h")
        assert kit.only_run().output == "timed out"


@pytest.mark.parametrize(
    "if_exp", ["async.data.account_id == event.data.account_id", "async.data.whatever == event.data.user.email", None]
)
def test_paths_that_exist_are_not_warned_about(if_exp: str | None) -> None:
    with start_stepwell([waiter(if_exp)]) as kit:
        kit.send("start", DATA)

        assert kit.only_run().warnings == []


def test_a_typo_in_a_cancellation_is_told_when_the_run_begins() -> None:
    @function(
        fn_id="trial",
        trigger=TriggerEvent(event="start"),
        cancel=Cancel(event="upgraded", if_exp="async.data.account_id == event.data.acocunt_id"),
    )
    def trial(ctx: Context) -> None:
        ctx.step.sleep("week", "7d")

    with start_stepwell([trial]) as kit:
        kit.send("start", DATA)

        [warning] = kit.only_run().warnings
        assert warning.startswith("cancel on upgraded: ")
        assert "event.data.account_id" in warning


def test_an_invalid_condition_of_a_trigger_or_a_cancellation_is_refused_when_the_function_is_written() -> None:
    with pytest.raises(InvalidFunction, match=r"function 'x'.*expression.*line 1, column"):
        function(fn_id="x", trigger=TriggerEvent(event="a", expression="event.data.a ="))(lambda _ctx: None)
    with pytest.raises(InvalidFunction, match=r"function 'x', cancel 1.*if.*line 1, column"):
        function(fn_id="x", trigger=TriggerEvent(event="a"), cancel=Cancel(event="b", if_exp="async."))(
            lambda _ctx: None
        )
    with pytest.raises(InvalidFunction, match="async"):
        function(fn_id="x", trigger=TriggerEvent(event="a", expression="async.data.a == 1"))(lambda _ctx: None)


@pytest.mark.parametrize(
    ("timeout", "says"),
    [("367d", "longer than 366d"), ("soon", "write numbers with units"), (None, "milliseconds"), (-5, "negative")],
)
def test_invalid_timeouts(timeout: Any, says: str) -> None:
    with start_stepwell([waiter(None, timeout)]) as kit:
        kit.send("start")

        run = kit.only_run()
        assert run.status == "Failed"
        assert says in str(run.error)
        assert "timeout" in str(run.error) or "duration" in str(run.error)


def test_values_of_the_trigger_may_look_like_expressions() -> None:
    nasty = "x' || true || '"
    with start_stepwell([waiter("async.data.token == event.data.token")]) as kit:
        kit.send("start", {"token": nasty})
        kit.send("answer", {"token": "y"})
        assert kit.only_run().status == "Running"
        kit.send("answer", {"token": nasty})
        assert kit.only_run().output == "resumed"
