"""Functions of apps: what their answers may hold, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.core.calls import CallRequest, ErrorInfo, Opcode, Operation, Operations, Raised, Reply, Returned
from chalicelib.core.functions import FunctionConfig
from chalicelib.core.ids import hashed_step_id
from chalicelib.core.steps import StepKind, StepPlan
from chalicelib.engine.outcomes import finished_step
from chalicelib.testing import Stepwell, start_stepwell
from tests import apps
from tests.apps import App, AppError, AppFunction, Story
from tests.scenarios.insides import replace_services

COMPLETE = hashed_step_id("complete", 0)


def serve(kit: Stepwell, *functions: AppFunction) -> App:
    app = App(functions)
    replace_services(kit, **apps.serve(kit.platform.services, app))
    return app


class Scripted(App):
    """An app that gives these answers, one after the other, then the last one again."""

    def __init__(self, *answers: Reply | Callable[[CallRequest], Reply]) -> None:
        super().__init__([AppFunction("scripted", "go", lambda _: iter(()), retries=2)])  # type: ignore[arg-type,return-value]
        self._answers = answers

    def call(self, _: FunctionConfig, request: CallRequest) -> Reply:
        self.calls.append(request)
        found = self._answers[min(len(self.calls), len(self._answers)) - 1]
        return found(request) if callable(found) else found


def scripted(kit: Stepwell, *answers: Reply | Callable[[CallRequest], Reply]) -> Scripted:
    app = Scripted(*answers)
    replace_services(kit, **apps.serve(kit.platform.services, app))
    kit.send("go")
    return app


def ran(name: str, output: Any) -> Operation:
    return Operation(Opcode.STEP_RUN, hashed_step_id(name, 0), name, output=output)


def of_run(code: Opcode, **fields: Any) -> Operation:
    """As SDKs tell of the run itself: no name, so that the wire's reader names it by its id."""
    return Operation(code, COMPLETE, COMPLETE, **fields)


def test_steps_and_the_end_of_the_run_in_one_answer() -> None:
    with start_stepwell([]) as kit:
        app = scripted(kit, Operations((ran("one", 1), ran("two", 2), of_run(Opcode.RUN_COMPLETE, output="all"))))
        run = kit.only_run("scripted")

        assert (run.status, run.output, len(app.calls)) == ("Completed", "all", 1)
        assert {name: step.output for name, step in run.steps.items()} == {"one": 1, "two": 2}


def test_nothing_is_registered_any_more_when_the_run_ends_in_the_same_answer() -> None:
    asleep = apps.sleep("nap", 4_000_000_000_000).op
    with start_stepwell([]) as kit:
        scripted(kit, Operations((asleep, of_run(Opcode.RUN_COMPLETE, output=1))))

        assert (kit.only_run("scripted").output, kit.only_run("scripted").steps) == (1, {})


def test_several_steps_that_ran_in_one_answer() -> None:
    with start_stepwell([]) as kit:
        app = scripted(kit, Operations((ran("one", 1), ran("two", 2))), Returned("end", 0))

        assert kit.only_run("scripted").output == "end"
        assert [memo.output for memo in app.calls[1].steps.values()] == [1, 2]
        assert app.calls[1].stack == (hashed_step_id("one", 0), hashed_step_id("two", 0))


def test_an_error_of_the_function_beside_a_step() -> None:
    error = ErrorInfo(name="TypeError", message="no such thing")
    with start_stepwell([], RETRY_TABLE="10s") as kit:
        failing = Operations((ran("one", 1), of_run(Opcode.STEP_ERROR, error=error)))
        app = scripted(kit, failing, Returned("better", 0))
        assert kit.only_run("scripted").status == "Running"
        kit.advance("10s")

        run = kit.only_run("scripted")
        assert (run.output, run.steps["one"].output) == ("better", 1)
        assert run.history.count("function.attempt_failed") == 1
        assert app.calls[1].attempt == 1


def test_a_final_error_of_the_function_beside_a_step() -> None:
    error = ErrorInfo(name="TypeError", message="no such thing")
    with start_stepwell([]) as kit:
        scripted(kit, Operations((ran("one", 1), of_run(Opcode.STEP_FAILED, error=error, retriable=False))))

        run = kit.only_run("scripted")
        assert (run.status, run.error, run.steps["one"].output) == ("Failed", "no such thing", 1)


def test_a_step_called_complete_is_no_run() -> None:
    error = ErrorInfo(name="Error", message="the step failed")
    failed = Operation(Opcode.STEP_FAILED, COMPLETE, "complete", error=error, retriable=False)
    with start_stepwell([]) as kit:
        app = scripted(kit, Operations((failed,)), Returned("caught", 0))

        run = kit.only_run("scripted")
        assert (run.status, run.steps["complete"].status) == ("Completed", "failed")
        assert app.calls[1].steps[COMPLETE].error == error


def test_a_call_that_asks_to_be_called_again() -> None:
    again = Operations((Operation(Opcode.DISCOVERY_REQUEST, "d1", "d1"),))
    with start_stepwell([]) as kit:
        app = scripted(kit, again, again, Operations((ran("one", 1),)), again, again, Returned("end", 0))

        assert (kit.only_run("scripted").output, len(app.calls)) == ("end", 6)


def test_a_call_that_asks_for_it_without_end() -> None:
    with start_stepwell([]) as kit:
        app = scripted(kit, Operations((Operation(Opcode.DISCOVERY_REQUEST, "d1", "d1"),)))

        run = kit.only_run("scripted")
        assert (run.status, len(app.calls)) == ("Failed", 4)
        assert run.error == "the function's app asked 4 times to be called again, without any step in between"


@pytest.mark.parametrize("times", [2, 3, 4])
def test_an_app_that_tells_again_what_is_recorded_is_called_again(times: int) -> None:
    with start_stepwell([]) as kit:
        scripted(kit, *[Operations((ran("one", 1), ran("two", 2)))] * times, Returned("end", 0))

        assert kit.only_run("scripted").output == "end"


def test_an_app_that_tells_it_without_end_fails_the_run() -> None:
    """Nothing would wake it, and nobody would be told why it stands still."""
    with start_stepwell([]) as kit:
        app = scripted(kit, Operations((ran("one", 1),)))

        run = kit.only_run("scripted")
        assert (run.status, len(app.calls)) == ("Failed", 5)
        assert (
            run.error == "the function's app told 4 times of steps that had ended already, and asked for nothing else"
        )


def test_an_answer_without_operations() -> None:
    with start_stepwell([]) as kit:
        scripted(kit, Operations(()))

        assert kit.only_run("scripted").error == "the function answered with no operations, which means nothing here"


def test_what_was_computed_from_another_end_than_the_recorded_one_is_left_aside() -> None:
    """As when a delivery that was given up for dead has recorded the step meanwhile."""

    def overtaken(request: CallRequest) -> Reply:
        plan = StepPlan(name="one", kind=StepKind.RUN, started_at_ms=1)
        kit.platform.services.runs.put_step(request.run_id, finished_step(ran("one", "theirs"), plan, 2))
        return Operations((ran("one", "ours"), ran("two", "of ours"), of_run(Opcode.RUN_COMPLETE, output="of ours")))

    def again(request: CallRequest) -> Reply:
        return Returned([memo.output for memo in request.steps.values()], 0)

    with start_stepwell([]) as kit:
        scripted(kit, overtaken, again)

        run = kit.only_run("scripted")
        assert (run.output, list(run.steps)) == (["theirs"], ["one"])


def test_branches_that_end_in_any_order() -> None:
    def branch(name: str, gate: str) -> Story:
        event = yield apps.wait(f"wait-{name}", gate)
        return (yield apps.run(f"step-{name}", f"{name}{event['data']['n']}"))

    def story(_: CallRequest) -> Story:
        outputs = yield apps.both(branch("left", "l"), branch("right", "r"))
        return [*outputs, (yield apps.run("join", "joined"))]

    with start_stepwell([]) as kit:
        app = serve(kit, AppFunction("branches", "go", story))
        kit.send("go")
        kit.send("r", {"n": 1})
        assert kit.only_run("branches").steps["step-right"].output == "right1"
        kit.send("l", {"n": 2})

        assert kit.only_run("branches").output == ["left2", "right1", "joined"]
        # From the first group on no step is run at once.
        assert [call.has_planned for call in app.calls[:3]] == [False, True, True]


def _racing(ended_ms: dict[str, int]) -> AppFunction:
    def branch(name: str) -> Story:
        return (yield apps.run(name, name))

    def story(_: CallRequest) -> Story:
        _number, winner = yield apps.race(branch("a"), branch("b"))
        yield apps.run(f"won-{winner}")
        yield apps.wait("pause", "next")
        return winner

    return AppFunction("racing", "go", story, ended_ms=ended_ms)


@pytest.mark.parametrize("b_ends_ms", [1_000, 4_000_000_000_000], ids=["before a, by its clock", "long after"])
def test_who_has_won_a_race_stays_the_winner_whatever_the_clocks_say(b_ends_ms: int) -> None:
    with start_stepwell([]) as kit:
        app = serve(kit, _racing({"b": b_ends_ms}))
        kit.send_only("go")
        kit.pump.deliver_event()
        kit.pump.deliver_work()
        kit.pump.deliver_work()
        # The function is told of the end of a before b ends.
        of_b = kit.pump.hold("work", 1)
        kit.pump.deliver_work()
        assert kit.only_run("racing").steps["won-a"].status == "planned"
        kit.pump.deliver("work", of_b)
        kit.drain()
        kit.send("next")

        run = kit.only_run("racing")
        assert (run.output, set(run.steps)) == ("a", {"a", "b", "won-a", "pause"})
        last = [key for key in app.calls[-1].stack if key in (hashed_step_id("a", 0), hashed_step_id("b", 0))]
        assert last == [hashed_step_id("a", 0), hashed_step_id("b", 0)]


def test_a_sleep_and_an_invocation_in_a_group() -> None:
    def branch(ask: apps.Ask) -> Story:
        return (yield ask)

    def callee(_: CallRequest) -> Story:
        return (yield apps.run("work", "called"))

    def story(request: CallRequest) -> Story:
        due = request.event.received_at_ms + 600_000
        return (yield apps.both(branch(apps.sleep("nap", due)), branch(apps.invoke("call", "callee"))))

    with start_stepwell([]) as kit:
        serve(kit, AppFunction("caller", "go", story), AppFunction("callee", "called", callee))
        kit.send("go")
        assert kit.only_run("caller").steps["call"].output == "called"
        kit.advance("10m")

        assert kit.only_run("caller").output == [None, "called"]


def test_a_branch_that_disappears_fails_its_step_and_the_function_goes_on() -> None:
    is_gone = False

    def branch(name: str) -> Story:
        return (yield apps.run(name, name))

    def story(_: CallRequest) -> Story:
        if is_gone:
            yield apps.wait("instead", "never")
        return (yield apps.both(branch("a"), branch("b")))

    with start_stepwell([], RETRY_TABLE="10s") as kit:
        serve(kit, AppFunction("changing", "go", story, retries=1))
        kit.send_only("go")
        kit.pump.deliver_event()
        kit.pump.deliver_work()
        is_gone = True
        kit.drain()
        kit.advance("1m")

        run = kit.only_run("changing")
        assert (run.steps["a"].status, run.steps["a"].error) == ("failed", "could not find the step to run; timed out")
        assert run.steps["instead"].status == "waiting"


def test_a_planned_step_that_the_code_now_sleeps_for() -> None:
    sleeps = False

    def one(name: str) -> Story:
        if name == "a" and sleeps:
            return (yield apps.sleep("a", 1))
        return (yield apps.run(name, name))

    def story(_: CallRequest) -> Story:
        return (yield apps.both(one("a"), one("b")))

    with start_stepwell([]) as kit:
        serve(kit, AppFunction("changing", "go", story))
        kit.send_only("go")
        kit.pump.deliver_event()
        kit.pump.deliver_work()
        sleeps = True
        kit.drain()

        assert kit.only_run("changing").output == [None, "b"]


def test_an_error_of_a_step_is_kept_and_thrown_in_each_later_call() -> None:
    def fail() -> None:
        raise AppError("no luck", retriable=False)

    def story(_: CallRequest) -> Story:
        try:
            yield apps.run("hopeless", fail)
        except AppError as error:
            told = yield apps.run("handle", str(error))
            yield apps.wait("pause", "next")
            return told
        return "never"

    with start_stepwell([]) as kit:
        app = serve(kit, AppFunction("catching", "go", story))
        kit.send("go")
        kit.send("next")

        assert kit.only_run("catching").output == "no luck"
        assert all(call.steps[hashed_step_id("hopeless", 0)].error is not None for call in app.calls[1:])


def test_attempts_and_their_times_are_those_of_the_configuration() -> None:
    tries: list[int] = []

    def fail() -> None:
        tries.append(1)
        raise AppError("not yet", retry_after_ms=kit.platform.clock.now_ms() + 60_000)

    def story(_: CallRequest) -> Story:
        return (yield apps.run("flaky", fail))

    with start_stepwell([]) as kit:
        app = serve(kit, AppFunction("trying", "go", story, retries=2))
        kit.send("go")
        kit.advance("59s")
        assert len(tries) == 1
        kit.advance("1s")
        assert len(tries) == 2
        kit.advance("1m")

        run = kit.only_run("trying")
        assert (run.status, run.error, len(tries)) == ("Failed", "not yet", 3)
        assert [(call.attempt, call.max_attempts) for call in app.calls[:3]] == [(0, 3), (1, 3), (2, 3)]


def test_an_app_that_raises_is_called_again_later() -> None:
    with start_stepwell([], RETRY_TABLE="10s") as kit:
        down = Raised(ErrorInfo(name="AppUnreachable", message="no connection"))
        app = scripted(kit, down, Returned("up again", 0))
        kit.advance("10s")

        assert (kit.only_run("scripted").output, len(app.calls)) == ("up again", 2)
