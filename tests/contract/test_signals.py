"""engine.ports.Signals, checkpoints and places: one holder, counted by the lease's owner alone, put once."""

from __future__ import annotations

import pytest

from chalicelib.core.errors import LeaseLost, NotFound
from chalicelib.core.runs import Owner
from chalicelib.core.signals import SignalWait, arrival
from chalicelib.core.steps import StepKind, StepRecord, StepStatus
from tests.contract import build
from tests.contract.build import LATER_MS, OTHER_STEP, STEP
from tests.contract.conftest import NOW_MS, World

ME, OTHER = build.owner(), build.owner("m2", "n3")


def waiting(step_id: str = STEP, signal: str = "s") -> StepRecord:
    plan = build.plan(kind=StepKind.SIGNAL, signal=signal)
    return StepRecord(id=step_id, status=StepStatus.WAITING, plan=plan, wake_at_ms=LATER_MS)


def wait(world: World, run_id: str, *, step_id: str = STEP, signal: str | None = None) -> SignalWait:
    name = world.name() if signal is None else signal
    return SignalWait(signal=name, run_id=run_id, step_id=step_id, fn_id="fn", until_ms=LATER_MS)


def register(
    world: World, wanted: SignalWait, *, after: SignalWait | None = None, owner: Owner = ME
) -> StepRecord | SignalWait:
    step = waiting(wanted.step_id, wanted.signal)
    return world.room.signals.register(owner, step, wanted, NOW_MS, after=after)


def is_new(found: StepRecord | SignalWait) -> bool:
    return isinstance(found, StepRecord) and found.status is StepStatus.WAITING


def test_who_registers_first_holds_the_signal(world: World) -> None:
    name = world.name()
    first, second = (wait(world, build.run(world, leased=ME), signal=name) for _ in "ab")

    assert is_new(register(world, first))
    assert register(world, second) == first
    assert world.room.signals.holder(first.signal) == first
    assert world.room.runs.get_step(second.run_id, STEP) is None


def test_registering_again_gives_what_is_recorded(world: World) -> None:
    wanted = wait(world, build.run(world, leased=ME))
    register(world, wanted)

    again = register(world, wanted)
    assert isinstance(again, StepRecord)
    assert again.status is StepStatus.WAITING
    world.room.runs.complete(wanted.run_id, STEP, arrival(wanted.signal, 1, NOW_MS))
    ended = register(world, wanted)
    assert isinstance(ended, StepRecord)
    assert ended.status is StepStatus.COMPLETED


def test_the_place_of_another_is_taken_only_while_it_is_that_one_s(world: World) -> None:
    name = world.name()
    first, second, third = (wait(world, build.run(world, leased=ME), signal=name) for _ in "abc")
    register(world, first)

    assert register(world, second, after=third) == first
    assert is_new(register(world, second, after=first))
    assert register(world, third, after=first) == second
    assert world.room.signals.holder(name) == second


def test_the_place_of_one_that_is_gone_can_be_taken(world: World) -> None:
    name = world.name()
    first, second = (wait(world, build.run(world, leased=ME), signal=name) for _ in "ab")

    assert is_new(register(world, second, after=first))


def test_only_its_own_row_is_removed(world: World) -> None:
    held = wait(world, build.run(world, leased=ME))
    register(world, held)

    world.room.signals.remove(held.signal, held.run_id, OTHER_STEP)
    world.room.signals.remove(held.signal, world.new(), STEP)
    assert world.room.signals.holder(held.signal) == held
    for _ in range(2):
        world.room.signals.remove(held.signal, held.run_id, STEP)
        assert world.room.signals.holder(held.signal) is None


def test_nothing_is_registered_without_the_lease(world: World) -> None:
    wanted = wait(world, build.run(world, leased=ME))
    with pytest.raises(LeaseLost):
        register(world, wanted, owner=OTHER)

    assert world.room.signals.holder(wanted.signal) is None


@pytest.mark.parametrize("status", [StepStatus.PLANNED, StepStatus.RETRYING])
def test_a_step_that_was_to_be_run_becomes_a_wait(world: World, status: StepStatus) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.put_retry(run_id, StepRecord(id=STEP, status=status, plan=build.plan(planned=True)))
    asleep = StepRecord(id=STEP, status=StepStatus.WAITING, plan=build.plan(kind=StepKind.SLEEP), wake_at_ms=LATER_MS)

    assert world.room.runs.register(run_id, ME, asleep, (), NOW_MS) is asleep


def test_but_not_while_it_runs(world: World) -> None:
    run_id = build.run(world, leased=ME)
    plan = build.plan(planned=True)
    world.room.runs.lease_step(run_id, STEP, OTHER, plan, until_ms=LATER_MS, now_ms=NOW_MS)
    asleep = StepRecord(id=STEP, status=StepStatus.WAITING, plan=build.plan(kind=StepKind.SLEEP))

    assert world.room.runs.register(run_id, ME, asleep, (), NOW_MS).status is StepStatus.PLANNED
    assert world.room.runs.register(run_id, ME, asleep, (), LATER_MS).status is StepStatus.PLANNED


def test_checkpoints_are_counted_for_the_lease_s_owner_alone(world: World) -> None:
    run_id = build.run(world, leased=ME)

    counts = [world.room.runs.checkpoint(run_id, ME, steps) for steps in (2, 0, 1)]
    assert [None if head is None else head.checkpointed for head in counts] == [2, 2, 3]
    assert world.room.runs.checkpoint(run_id, OTHER, 1) is None
    assert build.head(world, run_id).version == 0

    world.room.runs.release(run_id, ME, version=0, wake_at_ms=None)
    assert world.room.runs.checkpoint(run_id, ME, 1) is None
    assert build.head(world, run_id).checkpointed == 3


def test_a_lease_that_has_run_out_still_counts_until_another_is_taken(world: World) -> None:
    run_id = build.run(world, leased=ME)
    assert world.room.runs.checkpoint(run_id, ME, 1) is not None

    world.room.runs.take_lease(run_id, OTHER, until_ms=LATER_MS * 2, now_ms=LATER_MS + 1)
    assert world.room.runs.checkpoint(run_id, ME, 1) is None


def test_a_checkpoint_of_a_run_that_has_ended_or_is_not_there(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.end(run_id, build.ending(), owner=ME)

    assert world.room.runs.checkpoint(run_id, ME, 1) is None
    with pytest.raises(NotFound):
        world.room.runs.checkpoint(world.new(), ME, 1)


def test_a_place_is_put_once(world: World) -> None:
    run_id = build.run(world)
    world.room.runs.put_step(run_id, build.completed("x"))

    assert world.room.runs.put_place(run_id, STEP, 2) == 2
    assert world.room.runs.put_place(run_id, STEP, 5) == 2
    found = world.room.runs.get_step(run_id, STEP)
    assert found is not None
    assert (found.place, found.outcome is not None) == (2, True)
    with pytest.raises(LeaseLost):
        world.room.runs.put_place(run_id, OTHER_STEP, 0)


def test_whom_a_step_sends_to_is_kept_once(world: World) -> None:
    first, second = (wait(world, world.new()) for _ in "ab")
    sender = f"{world.new()}#{STEP}"

    assert world.room.signals.sent(sender) is None
    assert world.room.signals.put_sent(sender, first) is first
    assert world.room.signals.put_sent(sender, second) == first
    assert world.room.signals.sent(sender) == first
