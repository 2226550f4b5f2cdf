"""A message fails to its last delivery: whatever dies while it is put among the dead letters, it can be redriven, and
one that was put there twice does no more than one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore.exceptions import ConnectionClosedError

from chalicelib.core import limits
from chalicelib.core.letters import DIED_EACH_TIME
from chalicelib.core.runs import RunStatus
from chalicelib.engine import dead_letters
from tests.faults import observe
from tests.faults.conftest import MakeWorld
from tests.faults.emulator import DEAD
from tests.faults.injector import Answer, Call, Mode, Refusal, Rule
from tests.faults.scenarios import three_steps
from tests.faults.world import World

Refused = Callable[[Call], bool]
BROKEN = Refusal(500, "InternalServerError")


def takes_no_lease(call: Call) -> bool:
    return call.name == "dynamodb.UpdateItem" and "lo = :owner" in call.body["UpdateExpression"]


def records_no_event(call: Call) -> bool:
    return call.name == "dynamodb.PutItem" and call.body["TableName"].endswith("-events")


FAULTS = {"work": takes_no_lease, "events": records_no_event}


def broken(refused: Refused) -> Rule:
    def rule(call: Call, _: Answer) -> object:
        return BROKEN.response(call) if refused(call) else None

    return rule  # type: ignore[return-value]


def fail_at(world: World, operation: str, mode: Mode, queue: str = "-dead") -> None:
    """The first such call to such a queue meets a fault."""

    def rule(call: Call, carry_out: Answer) -> None:
        if call.name != operation or not call.body["QueueUrl"].endswith(queue):
            return
        world.injector.rules.remove(rule)
        if mode is not Mode.BEFORE:
            carry_out(call)
        if mode is Mode.LOST:
            raise ConnectionClosedError(endpoint_url=call.request.url)
        world.injector.die()

    world.injector.rules.insert(0, rule)


def deliver(world: World, times: int) -> None:
    for _ in range(times):
        world.emulator.show_all()
        world.drain()


def fail_to_the_last(make_world: MakeWorld, kind: str, *, partial: str = "0") -> World:
    """One delivery is left of the message."""
    world = make_world(three_steps, settings={"PARTIAL_BATCHES": partial})
    world.injector.rules.append(broken(FAULTS[kind]))
    world.accept("t/steps", {})
    deliver(world, limits.MAX_RECEIVES - 1)
    assert world.emulator.messages(*DEAD) == []
    return world


def letters(world: World) -> list[dict[str, object]]:
    room = world.platform.room
    rows: list[dict[str, object]] = dead_letters.letters(
        world.platform.services, room.dead_letters, dead_letters.BOTH, 100
    )["rows"]
    world.emulator.move_to(world.now_ms + 1)  # The emulator shows them again when time has passed.
    return rows


def goes_on(world: World) -> None:
    """After a redrive all is as if nothing had been."""
    world.injector.rules.clear()
    world.redrive()
    world.settle()
    world.finish()
    (run,) = observe.load_runs(world).values()
    assert run.head.status is RunStatus.COMPLETED
    assert run.head.stalled is None
    assert sorted(world.executions.values()) == [1, 1, 1]
    assert observe.problems(world) == []


@pytest.mark.parametrize("partial", ["0", "1"])
@pytest.mark.parametrize("kind", ["work", "events"])
def test_the_last_delivery_leaves_a_letter_with_the_reason(make_world: MakeWorld, kind: str, partial: str) -> None:
    world = fail_to_the_last(make_world, kind, partial=partial)
    deliver(world, 1)

    assert world.emulator.messages() == []
    (letter,) = letters(world)
    assert letter["queue"] == kind
    assert letter["kind"] == ("turn" if kind == "work" else "event")
    assert "injected" in str(letter["reason"])
    assert letter["receives"] == limits.MAX_RECEIVES
    goes_on(world)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("kind", ["work", "events"])
def test_a_fault_while_a_letter_is_put_loses_nothing(make_world: MakeWorld, kind: str, mode: Mode) -> None:
    world = fail_to_the_last(make_world, kind)
    fail_at(world, "sqs.SendMessage", mode)
    deliver(world, 2)

    assert world.emulator.messages() == []
    found = letters(world)
    # Dead before the put: SQS moves the message. Dead after it: both.
    ours = {Mode.BEFORE: 0, Mode.AFTER: 1, Mode.LOST: 2}[mode]
    theirs = {Mode.BEFORE: 1, Mode.AFTER: 1, Mode.LOST: 0}[mode]
    assert len(found) == ours + theirs
    assert [letter["reason"] for letter in found].count(DIED_EACH_TIME) == theirs
    goes_on(world)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("operation", ["sqs.SendMessageBatch", "sqs.DeleteMessageBatch"])
@pytest.mark.parametrize("kind", ["work", "events"])
def test_a_fault_while_a_letter_is_redriven_loses_nothing(
    make_world: MakeWorld, kind: str, operation: str, mode: Mode
) -> None:
    world = fail_to_the_last(make_world, kind)
    deliver(world, 1)
    world.injector.rules.clear()
    fail_at(world, operation, mode, "" if operation == "sqs.SendMessageBatch" else "-dead")
    goes_on(world)
    assert world.emulator.messages(*DEAD) == []


def test_a_batch_keeps_what_can_be_handled_from_what_cannot(make_world: MakeWorld) -> None:
    world = make_world(three_steps)
    world.put_message("events", "not JSON")
    deliver(world, limits.MAX_RECEIVES - 1)
    world.accept("t/steps", {})
    deliver(world, 1)

    (run,) = observe.load_runs(world).values()
    assert run.head.status is RunStatus.COMPLETED
    (letter,) = letters(world)
    assert (letter["kind"], letter["body"]) == ("unreadable", "not JSON")
    assert "Invalid JSON" in str(letter["reason"])


def test_a_message_whose_process_dies_each_time_says_so(make_world: MakeWorld) -> None:
    world = make_world(three_steps)

    def dies(call: Call, _: Answer) -> None:
        if takes_no_lease(call):
            world.injector.die()

    world.injector.rules.append(dies)
    world.accept("t/steps", {})
    deliver(world, limits.MAX_RECEIVES + 1)

    (letter,) = letters(world)
    assert letter["reason"] == DIED_EACH_TIME
    (run,) = observe.load_runs(world).values()
    assert run.head.stalled is not None
    assert run.head.stalled.endswith(DIED_EACH_TIME)
    goes_on(world)
