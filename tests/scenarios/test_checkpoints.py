"""Steps that an app records while it is called."""

from __future__ import annotations

import pytest

from chalicelib.core.calls import CallRequest, ErrorInfo, Opcode, Operation, Operations
from chalicelib.core.errors import NotFound, StaleCheckpoint, UserError
from chalicelib.core.ids import hashed_step_id
from chalicelib.core.messages import TurnMessage
from chalicelib.core.runs import Owner
from chalicelib.core.steps import StepKind, StepPlan
from chalicelib.engine import checkpoints
from chalicelib.engine.checkpoints import InvalidCheckpoint, OvertakenCheckpoint
from chalicelib.engine.outcomes import finished_step
from chalicelib.testing import Stepwell, start_stepwell
from tests import apps
from tests.apps import App, AppError, AppFunction, Story
from tests.scenarios.insides import items, replace_services


def serve(kit: Stepwell, *functions: AppFunction) -> App:
    """An app that reports steps as SDKs do."""

    def checkpoint(run_id: str, queue_item_id: str, reply: Operations) -> str:
        try:
            checkpoints.record(kit.platform.services, run_id, queue_item_id, reply)
        except StaleCheckpoint:
            return "stale"
        except UserError:
            return "failed"
        return "ok"

    app = App(functions, checkpoint)
    replace_services(kit, **apps.serve(kit.platform.services, app))
    return app


def three(_: CallRequest) -> Story:
    found = []
    for name in ("one", "two", "three"):
        found.append((yield apps.run(name, name.upper())))
    return found


def ran(name: str, output: object = None) -> Operation:
    return Operation(Opcode.STEP_RUN, hashed_step_id(name, 0), name, output=output)


@pytest.mark.parametrize("buffered", [1, 2, 5])
def test_a_whole_run_in_one_call(buffered: int) -> None:
    with start_stepwell([]) as kit:
        app = serve(kit, AppFunction("fn", "go", three, checkpoints=buffered))
        kit.send("go")

        run = kit.only_run("fn")
        assert (run.output, len(app.calls)) == (["ONE", "TWO", "THREE"], 1)
        assert {name: step.output for name, step in run.steps.items()} == {"one": "ONE", "two": "TWO", "three": "THREE"}
        assert list(run.steps) == ["one", "two", "three"]
        assert kit.counts["Steps"] == 3


def test_what_was_checkpointed_is_there_though_the_app_dies_afterwards() -> None:
    def dying(_: CallRequest) -> Story:
        yield apps.run("one", 1)
        if len(app.calls) == 1:
            raise AppError("the connection is gone")
        return (yield apps.run("two", 2))

    with start_stepwell([], RETRY_TABLE="10s") as kit:
        app = serve(kit, AppFunction("fn", "go", dying, checkpoints=1))
        kit.send("go")
        assert kit.only_run("fn").steps["one"].output == 1
        kit.advance("10s")

        assert kit.only_run("fn").output == 2
        assert [len(call.steps) for call in app.calls] == [0, 1, 2]


def test_attempts_of_the_function_count_from_the_steps_that_were_checkpointed() -> None:
    def failing(_: CallRequest) -> Story:
        yield apps.run("one", 1)
        raise AppError("always")

    with start_stepwell([], RETRY_TABLE="10s") as kit:
        app = serve(kit, AppFunction("fn", "go", failing, checkpoints=1, retries=2))
        kit.send("go")
        # News does not make the next attempt come sooner.
        run_id = kit.only_run("fn").run_id
        kit.platform.services.queues.send_work(TurnMessage(run_id=run_id))
        kit.drain()
        assert len(app.calls) == 1
        kit.advance("1m")

        assert (kit.only_run("fn").status, [call.attempt for call in app.calls]) == ("Failed", [0, 1, 2])


def test_a_run_that_waits_after_checkpoints_is_not_called_again_before_its_time() -> None:
    def waiting(_: CallRequest) -> Story:
        one = yield apps.run("one", 1)
        event = yield apps.wait("the-wait", "answer")
        two = yield apps.run("two", 2)
        return [one, event["data"]["n"], two]

    with start_stepwell([]) as kit:
        app = serve(kit, AppFunction("fn", "go", waiting, checkpoints=1))
        kit.send("go")
        assert len(app.calls) == 1
        kit.send("answer", {"n": 7})

        assert (kit.only_run("fn").output, len(app.calls)) == ([1, 7, 2], 2)
        assert len(app.calls[1].steps) == 2


def test_an_app_whose_checkpoint_fails_answers_with_its_steps() -> None:
    with start_stepwell([]) as kit:
        app = serve(kit, AppFunction("fn", "go", three, checkpoints=2))
        app.checkpoint = lambda *_: "failed"
        kit.send("go")

        assert kit.only_run("fn").output == ["ONE", "TWO", "THREE"]


def leased(kit: Stepwell) -> tuple[str, Owner]:
    """A run under way, and who holds its lease."""
    serve(kit, AppFunction("fn", "go", three))
    kit.send_only("go")
    kit.pump.deliver_event()
    (row,) = [item for item in items(kit, "runs") if item["sk"] == "0"]
    owner = Owner(message_id="m-1.2", nonce="n1")
    now = kit.platform.clock.now_ms()
    kit.platform.services.runs.take_lease(row["pk"], owner, until_ms=now + 60_000, now_ms=now)
    return row["pk"], owner


def test_a_checkpoint_that_comes_twice() -> None:
    with start_stepwell([]) as kit:
        run_id, owner = leased(kit)
        for _ in range(2):
            checkpoints.record(kit.platform.services, run_id, owner.queue_item_id, Operations((ran("one", 1),)))

        assert kit.only_run("fn").steps["one"].output == 1
        assert (kit.counts["Steps"], kit.counts.get("LateResults", 0)) == (1, 0)


def test_an_empty_checkpoint_asks_only_whether_the_call_still_counts() -> None:
    with start_stepwell([]) as kit:
        run_id, owner = leased(kit)
        checkpoints.record(kit.platform.services, run_id, owner.queue_item_id, Operations(()))
        with pytest.raises(StaleCheckpoint, match="is over"):
            checkpoints.record(kit.platform.services, run_id, "m-1.2.n2", Operations(()))


@pytest.mark.parametrize("queue_item_id", ["m-1.2.another", "m-2.n1", "", "n1"])
def test_the_checkpoint_of_another_call_is_stale(queue_item_id: str) -> None:
    with start_stepwell([]) as kit:
        run_id, _ = leased(kit)
        with pytest.raises(StaleCheckpoint):
            checkpoints.record(kit.platform.services, run_id, queue_item_id, Operations((ran("one"),)))

        assert kit.only_run("fn").steps == {}


def test_the_checkpoint_of_a_run_that_has_ended_is_stale() -> None:
    with start_stepwell([]) as kit:
        run_id, owner = leased(kit)
        kit.cancel(run_id)
        with pytest.raises(StaleCheckpoint):
            checkpoints.record(kit.platform.services, run_id, owner.queue_item_id, Operations((ran("one"),)))


def test_the_checkpoint_of_no_run() -> None:
    with start_stepwell([]) as kit, pytest.raises(NotFound, match="no run"):
        checkpoints.record(kit.platform.services, "01KE0000000000000000000000", "m.n", Operations(()))


def test_a_step_that_has_ended_otherwise_sends_the_app_back() -> None:
    with start_stepwell([]) as kit:
        run_id, owner = leased(kit)
        plan = StepPlan(name="one", kind=StepKind.RUN, started_at_ms=1)
        kit.platform.services.runs.put_step(run_id, finished_step(ran("one", "theirs"), plan, 2))
        mine = Operations((ran("one", "mine"), ran("two", "of mine")))
        with pytest.raises(OvertakenCheckpoint, match="another result of the step 'one'"):
            checkpoints.record(kit.platform.services, run_id, owner.queue_item_id, mine)

        assert {name: step.output for name, step in kit.only_run("fn").steps.items()} == {"one": "theirs"}


@pytest.mark.parametrize("code", [Opcode.STEP_ERROR, Opcode.STEP_PLANNED, Opcode.SLEEP, Opcode.RUN_COMPLETE])
def test_only_steps_that_have_ended_are_taken(code: Opcode) -> None:
    with start_stepwell([]) as kit:
        run_id, owner = leased(kit)
        both = Operations((ran("one"), Operation(code, hashed_step_id("two", 0), "two")))
        with pytest.raises(InvalidCheckpoint, match=f"the step 'two' is {code.value}"):
            checkpoints.record(kit.platform.services, run_id, owner.queue_item_id, both)

        assert kit.only_run("fn").steps == {}


def test_a_step_that_failed_for_good_is_taken() -> None:
    error = ErrorInfo(name="Error", message="no")
    with start_stepwell([]) as kit:
        run_id, owner = leased(kit)
        failed = Operation(Opcode.STEP_FAILED, hashed_step_id("one", 0), "one", error=error)
        checkpoints.record(kit.platform.services, run_id, owner.queue_item_id, Operations((failed,)))

        assert kit.only_run("fn").steps["one"].error == "no"
