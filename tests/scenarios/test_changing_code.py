"""Deploying while runs are under way."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from chalicelib.sdk import Cancel, Context, StepError, TriggerEvent, WaitFor, function
from chalicelib.testing import RunView, start_stepwell


@function(fn_id="job", trigger=TriggerEvent(event="go"))
def old(ctx: Context) -> str:
    ctx.step.run("charge", lambda: "charged")
    ctx.step.sleep("nap", "1h")
    ctx.step.run("mail", lambda: "old mail")
    return "old"


def test_new_handlers_and_new_steps_at_the_end() -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def new(ctx: Context) -> Any:
        charged = ctx.step.run("charge", lambda: "charged again")
        ctx.step.sleep("nap", "5h")
        mail = ctx.step.run("mail", lambda: "new mail")
        return [charged, mail, ctx.step.run("survey", lambda: "asked")]

    with start_stepwell([old]) as kit:
        kit.send("go")
        kit.deploy([new])
        kit.advance("1h")

        run = kit.only_run()
        assert run.output == ["charged", "new mail", "asked"]
        assert run.warnings == []


def test_a_recorded_step_that_the_code_no_longer_has_is_told_on_the_timeline() -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"))
    def new(ctx: Context) -> str:
        ctx.step.sleep("nap", "1h")
        ctx.step.run("mail", lambda: "new mail")
        return "new"

    with start_stepwell([old]) as kit:
        kit.send("go")
        kit.deploy([new])
        kit.advance("1h")

        run = kit.only_run()
        assert (run.status, run.output) == ("Completed", "new")
        assert set(run.warnings) == {
            "the code changed while the run was under way: it went on without the recorded steps 'charge'"
        }


def test_a_step_that_was_to_be_tried_again_and_is_gone() -> None:
    def fail() -> None:
        raise ValueError("old code")

    @function(fn_id="flaky", trigger=TriggerEvent(event="go"))
    def flaky(ctx: Context) -> str:
        ctx.step.run("work", fail)
        return "old"

    @function(fn_id="flaky", trigger=TriggerEvent(event="go"))
    def mended(_ctx: Context) -> str:
        return "new"

    with start_stepwell([flaky]) as kit:
        kit.send("go")
        kit.deploy([mended])
        kit.advance("1m")

        assert (kit.only_run().status, kit.only_run().output) == ("Completed", "new")


def test_a_parallel_step_that_is_gone() -> None:
    tries = []

    def fail_once() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("once")
        return "done"

    def group(*names: str) -> Any:
        @function(fn_id="wide", trigger=TriggerEvent(event="go"))
        def wide(ctx: Context) -> Any:
            found: tuple[str, ...] = ctx.group.parallel(tuple(partial(ctx.step.run, name, fail_once) for name in names))
            return found

        return wide

    with start_stepwell([group("a", "b")]) as kit:
        kit.send("go")
        kit.deploy([group("b", "c")])
        kit.advance("1m")
        kit.advance_only("2h")  # The safety net of planned steps: an hour.
        kit.collect()
        kit.advance("2s")

        run = kit.only_run()
        assert (run.status, run.output) == ("Completed", ["done", "done"])


def test_a_function_that_was_removed_while_a_run_is_under_way() -> None:
    with start_stepwell([old]) as kit:
        kit.send("go")
        kit.deploy([])
        kit.advance("1h")

        run = kit.runs("job")[0]
        assert run.status == "Failed"
        assert "function 'job' is not in this deployment" in str(run.error)
        assert "deploy it again under this fn_id" in str(run.error)
        assert kit.pump.dead_letters() == kit.pump.in_flight() == 0


def test_a_function_that_was_removed_before_its_run_began() -> None:
    @function(fn_id="caller", trigger=TriggerEvent(event="call"))
    def caller(ctx: Context) -> str:
        try:
            ctx.step.invoke("ask", function=old)
        except StepError as error:
            return error.message
        return "?"

    with start_stepwell([old, caller]) as kit:
        kit.send_only("call")
        kit.pump.deliver_event()
        kit.pump.deliver_work()
        kit.deploy([caller])
        kit.drain()

        assert "function 'job' is not in this deployment" in str(kit.only_run(caller).output)


def test_a_cancellation_that_is_added_counts_for_new_runs_only() -> None:
    @function(fn_id="job", trigger=TriggerEvent(event="go"), cancel=Cancel(event="stop"))
    def cancellable(ctx: Context) -> None:
        ctx.step.sleep("nap", "1h")

    with start_stepwell([old]) as kit:
        kit.send("go")
        kit.deploy([cancellable])
        kit.send("go")
        kit.send("stop")
        kit.advance("2h")

        assert [run.status for run in kit.runs()] == ["Completed", "Cancelled"]


def test_what_a_first_delivery_decided_holds_for_the_second() -> None:
    @function(fn_id="extra", trigger=TriggerEvent(event="go"))
    def extra(_ctx: Context) -> None: ...

    with start_stepwell([old]) as kit:
        kit.send_only("go")
        held = kit.pump.hold("events")
        assert kit.pump.deliver("events", held, acknowledge=False)
        kit.deploy([old, extra])
        assert kit.pump.deliver("events", held)
        kit.drain()

        assert [run.function_id for run in kit.runs()] == ["job"]


CHANGED = "the code changed while the run was under way: "


def changed(first: Any, then: Any, *, meanwhile: str | None = None) -> RunView:
    """A run that one body of a function began, and another one ended two hours later."""
    with start_stepwell([function(fn_id="job", trigger=TriggerEvent(event="go"))(first)]) as kit:
        kit.send("go", {"id": 1})
        kit.deploy([function(fn_id="job", trigger=TriggerEvent(event="go"))(then)])
        if meanwhile is not None:
            kit.send(meanwhile, {"id": 1})
        kit.advance("2h")
        return kit.only_run()


def asleep(ctx: Context) -> Any:
    ctx.step.run("charge", lambda: "charged")
    ctx.step.sleep("nap", "1h")
    return ctx.step.run("mail", lambda: "mailed")


def renamed(ctx: Context) -> Any:
    ctx.step.run("charge-card", lambda: "charged")
    ctx.step.sleep("nap", "1h")
    return ctx.step.run("mail", lambda: "mailed")


def in_another_order(ctx: Context) -> Any:
    ctx.step.run("mail", lambda: "mailed")
    ctx.step.sleep("nap", "1h")
    return ctx.step.run("charge", lambda: "charged")


def sleeping_instead(ctx: Context) -> Any:
    ctx.step.sleep("charge", "1m")
    ctx.step.sleep("nap", "1h")


def running_instead(ctx: Context) -> Any:
    ctx.step.run("charge", lambda: "charged")
    ctx.step.run("nap", lambda: "no nap")


@pytest.mark.parametrize(
    ("then", "told"),
    [
        (renamed, "it went on without the recorded steps 'charge', 'nap'"),
        (in_another_order, "it went on without the recorded steps 'charge', 'nap'"),
        (sleeping_instead, "step 'charge' is recorded as run, and is now sleep; what is recorded stands"),
        (running_instead, "step 'nap' is recorded as sleep, and is now run; what is recorded stands"),
    ],
)
def test_what_differs_from_what_is_recorded_is_told(then: Any, told: str) -> None:
    run = changed(asleep, then)
    assert run.status == "Completed"
    assert CHANGED + told in run.warnings
    assert len(run.warnings) == len(set(run.warnings))


def waiting(event: str, if_exp: str) -> Any:
    def wait(ctx: Context) -> Any:
        found = ctx.step.wait_for_event("answer", event=event, if_exp=if_exp, timeout="1h")
        return found is not None

    return wait


SAME = "async.data.id == event.data.id"


@pytest.mark.parametrize(
    ("then", "now"),
    [
        (waiting("answered", f"{SAME} && async.data.ok == true"), f"answered if {SAME} && async.data.ok == true"),
        (waiting("told", SAME), f"told if {SAME}"),
    ],
)
def test_a_wait_goes_by_what_it_was_registered_with_and_that_is_told(then: Any, now: str) -> None:
    run = changed(waiting("answered", SAME), then, meanwhile="answered")
    assert run.output is True
    assert run.warnings == [
        f"{CHANGED}step 'answer' is recorded as wait_for_event for answered if {SAME}, "
        f"and is now wait_for_event for {now}; what is recorded stands"
    ]


def test_a_wait_that_became_one_for_several_events_fails_and_the_change_is_told() -> None:
    def choosing(ctx: Context) -> Any:
        found = ctx.step.wait_for_any("answer", [WaitFor("answered"), WaitFor("told")], timeout="1h")
        return None if found is None else found.index

    run = changed(waiting("answered", SAME), choosing, meanwhile="answered")
    assert (run.status, run.warnings) == (
        "Failed",
        [
            f"{CHANGED}step 'answer' is recorded as wait_for_event for answered if {SAME}, "
            "and is now wait_for_event for answered, told; what is recorded stands"
        ],
    )


def test_a_result_that_the_new_code_cannot_use_fails_the_run_with_the_code_s_own_error() -> None:
    def using(ctx: Context) -> Any:
        return ctx.step.run("charge", lambda: {"amount": 3})["amount"]

    run = changed(asleep, using)
    assert (run.status, run.error) == ("Failed", "string indices must be integers, not 'str'")
    assert run.steps["charge"].output == "charged"
