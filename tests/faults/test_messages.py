"""Messages come twice, come again long afterwards, cannot be read, or come for the last time."""

from __future__ import annotations

import pytest

from chalicelib.core import limits
from chalicelib.core.runs import RunStatus
from tests.faults import observe
from tests.faults.conftest import BaselineOf, MakeWorld
from tests.faults.emulator import DEAD, Emulator
from tests.faults.harness import compare, play
from tests.faults.injector import Refusal
from tests.faults.rules import refuse
from tests.faults.sampled import scenarios
from tests.faults.scenarios import SCENARIOS, three_steps
from tests.faults.world import World

_WORK_DEAD = DEAD[1]


@pytest.mark.parametrize("name", scenarios(0))
def test_every_message_may_come_twice(emulator: Emulator, baseline_of: BaselineOf, name: str) -> None:
    scenario = SCENARIOS[name]
    baseline = baseline_of(scenario.name)
    played = play(emulator, scenario, duplicate=True)
    assert compare(played, scenario, baseline) == []


@pytest.mark.parametrize("name", scenarios(1))
def test_a_replayed_window_of_messages_changes_nothing(emulator: Emulator, name: str) -> None:
    scenario = SCENARIOS[name]
    world = play(emulator, scenario).world
    before, ran = observe.picture(world), dict(world.executions)
    assert world.acknowledged
    for _ in range(2):
        world.replay()
    if not scenario.open_runs:
        world.finish()
    assert observe.picture(world) == before
    assert dict(world.executions) == ran
    assert observe.problems(world, open_runs=scenario.open_runs) == []


def _deliver_often(world: World, times: int) -> None:
    for _ in range(times):
        world.emulator.show_all()
        world.drain()


@pytest.mark.parametrize("kind", ["events", "work"])
@pytest.mark.parametrize("body", ["not JSON", "{}", '{"kind": "turn"}', '{"kind": "unheard-of", "run_id": "x"}'])
def test_a_message_that_cannot_be_read_ends_among_the_dead_letters(make_world: MakeWorld, kind: str, body: str) -> None:
    world = make_world(three_steps)
    world.put_message(kind, body)
    world.accept("t/steps", {})
    world.drain()
    assert [run.head.status for run in observe.load_runs(world).values()] == [RunStatus.COMPLETED]
    _deliver_often(world, limits.MAX_RECEIVES + 2)
    assert world.emulator.messages() == []
    (dead,) = world.emulator.messages(*DEAD)
    assert dead.body == body


def test_the_last_receive_does_no_user_work_and_a_redriven_message_goes_on(make_world: MakeWorld) -> None:
    world = make_world(three_steps)
    # The runs' table takes no lease for as long as the message is tried.
    rule = refuse("dynamodb.UpdateItem", Refusal(500, "InternalServerError"), times=10_000)

    def head_of_run_only(call, answer):  # type: ignore[no-untyped-def]
        return rule(call, answer) if "lo = :owner" in call.body.get("UpdateExpression", "") else None

    world.injector.rules.append(head_of_run_only)
    world.accept("t/steps", {})
    for receive in range(1, limits.MAX_RECEIVES):
        _deliver_often(world, 1)
        (run,) = observe.load_runs(world).values()
        if receive < limits.MAX_RECEIVES - 1:
            assert run.head.stalled is None, f"stalled at receive {receive}"
    world.injector.rules.clear()
    _deliver_often(world, 1)
    (run,) = observe.load_runs(world).values()
    assert run.head.stalled is not None
    assert "went to the dead letters: " in run.head.stalled
    assert "injected" in run.head.stalled
    assert run.head.status is RunStatus.QUEUED
    assert not world.executions
    (dead,) = world.emulator.messages(_WORK_DEAD)
    assert world.redrive() == 1
    assert dead.body in [message.body for message in world.emulator.messages()]
    world.settle()
    (run,) = observe.load_runs(world).values()
    assert run.head.status is RunStatus.COMPLETED
    assert run.head.stalled is None
    assert sorted(world.executions.values()) == [1, 1, 1]
    world.finish()
    assert observe.problems(world) == []
