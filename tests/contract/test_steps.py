"""engine.ports.Runs, the half about steps: recorded once, leased by one, resumed once; losers take what is there."""

from __future__ import annotations

import pytest

from chalicelib.aws import keys
from chalicelib.core.errors import LeaseLost
from chalicelib.core.records import Resumed
from chalicelib.core.runs import Owner
from chalicelib.core.steps import StepLease, StepRecord, StepStatus
from tests.contract import build
from tests.contract.build import LATER_MS, OTHER_STEP, STEP
from tests.contract.conftest import NOW_MS, STAMP_S, World

ME, MY_NEXT_DELIVERY, OTHER = build.owner(), build.owner(nonce="n2"), build.owner("m2", "n3")


def stored(world: World, run_id: str, step_id: str = STEP) -> StepRecord:
    found = world.room.runs.get_step(run_id, step_id)
    assert found is not None
    return found


def same(one: StepRecord, other: StepRecord) -> bool:
    """Whether they agree but for the stamp, which the table adds."""
    return one == other.model_copy(update={"expires_at_s": one.expires_at_s})


# put_step


def test_a_step_s_end_is_recorded_once_and_the_loser_takes_it(world: World) -> None:
    run_id = build.run(world)

    first = world.room.runs.put_step(run_id, build.completed("first"))
    again = world.room.runs.put_step(run_id, build.completed("first"))
    second = world.room.runs.put_step(run_id, build.completed("second"))

    assert same(first, stored(world, run_id))
    assert same(again, first)
    assert same(second, first)
    assert stored(world, run_id).expires_at_s == STAMP_S


@pytest.mark.parametrize("output", [None, False, 0, "", [], {}, 1.5, 2**60, "ä\u0000\U0001f600", {"a": [None]}])
def test_outputs_come_back_as_they_were(world: World, output: object) -> None:
    run_id = build.run(world)
    world.room.runs.put_step(run_id, build.completed(output))
    found = stored(world, run_id).outcome
    assert found is not None
    assert found.output == output
    assert type(found.output) is type(output)


def test_a_large_output_lies_in_s3_and_is_read_back_by_load_and_by_losers(world: World) -> None:
    run_id = build.run(world)
    world.room.runs.put_step(run_id, build.completed(build.LARGE))

    lost = world.room.runs.put_step(run_id, build.completed("small"))

    run = world.room.runs.load(run_id)
    assert run is not None
    assert same(lost, build.completed(build.LARGE))
    assert same(run.steps[STEP], lost)
    item = world.item(world.config.table_runs, run_id, keys.step(STEP))
    assert item is not None
    assert "res" not in item


def test_a_waiting_step_is_not_ended_by_put_step(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.register(run_id, ME, build.waiting(), (), NOW_MS)

    assert same(world.room.runs.put_step(run_id, build.completed()), build.waiting())


def test_a_step_s_own_stamp_counts_when_it_is_the_later_one(world: World) -> None:
    run_id = build.run(world)
    world.room.runs.put_step(run_id, build.completed().model_copy(update={"expires_at_s": STAMP_S + 7}))
    assert stored(world, run_id).expires_at_s == STAMP_S + 7


# put_retry


def test_attempts_are_recorded_in_order_and_never_taken_back(world: World) -> None:
    run_id = build.run(world)

    for failures, expected in ((1, 1), (1, 1), (3, 3), (2, 3)):
        world.room.runs.put_retry(run_id, build.retrying(failures))
        assert stored(world, run_id).failures == expected

    assert same(world.room.runs.put_step(run_id, build.completed()), build.completed())
    world.room.runs.put_retry(run_id, build.retrying(4))
    assert stored(world, run_id).status is StepStatus.COMPLETED


def test_a_retry_does_not_touch_a_step_that_waits(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.register(run_id, ME, build.waiting(), (), NOW_MS)
    world.room.runs.put_retry(run_id, build.retrying(1))
    assert same(stored(world, run_id), build.waiting())


def test_a_retry_drops_the_step_s_lease(world: World) -> None:
    run_id = build.run(world)
    lease(world, run_id)
    world.room.runs.put_retry(run_id, build.retrying(1))

    assert stored(world, run_id).lease_until_ms is None
    assert lease(world, run_id, OTHER).granted


# register


def test_a_wait_and_its_pauses_are_registered_together(world: World) -> None:
    run_id = build.run(world, leased=ME)
    pauses = [build.pause(world, run_id) for _ in range(3)]
    step = build.waiting(pauses=tuple(pause.key for pause in pauses))

    assert same(world.room.runs.register(run_id, ME, step, pauses, NOW_MS), step)
    assert same(world.room.runs.register(run_id, ME, step, pauses, NOW_MS), step)

    assert same(stored(world, run_id), step)
    assert [build.rows(world, pause.key.key) for pause in pauses] == [[pause] for pause in pauses]


def test_whoever_registers_a_step_that_is_there_is_told_what_is_there(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.put_step(run_id, build.completed())
    pause = build.pause(world, run_id)

    assert same(world.room.runs.register(run_id, ME, build.waiting(), [pause], NOW_MS), build.completed())
    assert build.rows(world, pause.key.key) == []


def test_a_wait_takes_the_place_of_a_step_that_was_retried_and_a_planned_step_does_not(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.put_retry(run_id, build.retrying(1))
    planned = StepRecord(id=STEP, status=StepStatus.PLANNED, plan=build.plan(planned=True))

    assert same(world.room.runs.register(run_id, ME, planned, (), NOW_MS), build.retrying(1))
    assert same(world.room.runs.register(run_id, ME, build.waiting(), (), NOW_MS), build.waiting())
    assert same(stored(world, run_id), build.waiting())


@pytest.mark.parametrize(
    ("who", "now_ms"), [(OTHER, NOW_MS), (MY_NEXT_DELIVERY, NOW_MS), (ME, LATER_MS + 1)], ids=["other", "nonce", "late"]
)
def test_nothing_is_registered_without_the_lease(world: World, who: Owner, now_ms: int) -> None:
    run_id = build.run(world, leased=ME)
    pause = build.pause(world, run_id)

    with pytest.raises(LeaseLost):
        world.room.runs.register(run_id, who, build.waiting(), [pause], now_ms)

    assert world.room.runs.get_step(run_id, STEP) is None
    assert build.rows(world, pause.key.key) == []


def test_nothing_is_registered_in_a_run_that_has_ended_or_is_gone(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.end(run_id, build.ending(), owner=None)

    for gone in (run_id, world.new()):
        with pytest.raises(LeaseLost):
            world.room.runs.register(gone, ME, build.waiting(), (), NOW_MS)
        assert world.room.runs.get_step(gone, STEP) is None


# complete


def test_a_waiting_step_is_ended_from_outside_once(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.register(run_id, ME, build.waiting(), (), NOW_MS)

    first = world.room.runs.complete(run_id, STEP, build.outcome("first"))
    again = world.room.runs.complete(run_id, STEP, build.outcome("second"))
    failed = world.room.runs.complete(run_id, STEP, build.outcome(None, error=build.ERROR))

    assert first == again == failed == stored(world, run_id)
    assert (first.status, first.outcome, first.plan) == (
        StepStatus.COMPLETED,
        build.outcome("first"),
        build.waiting().plan,
    )


def test_an_error_ends_a_waiting_step_as_failed(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.register(run_id, ME, build.waiting(), (), NOW_MS)
    step = world.room.runs.complete(run_id, STEP, build.outcome(None, error=build.ERROR))
    assert (step.status, step.outcome) == (StepStatus.FAILED, build.outcome(None, error=build.ERROR))


def test_only_with_a_plan_is_an_absent_step_ended(world: World) -> None:
    run_id = build.run(world, leased=ME)
    with pytest.raises(LeaseLost):
        world.room.runs.complete(run_id, STEP, build.outcome())
    assert world.room.runs.get_step(run_id, STEP) is None

    step = world.room.runs.complete(run_id, STEP, build.outcome(build.LARGE), build.plan(invokes="fn"))

    assert (step.plan, step.status, step.expires_at_s) == (
        build.plan(invokes="fn"),
        StepStatus.COMPLETED,
        STAMP_S,
    )
    # The turn that comes to register it is told so, and its own plan changes nothing.
    assert world.room.runs.register(run_id, ME, build.waiting(), (), NOW_MS) == step


def test_a_plan_does_not_replace_the_one_that_is_there(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.register(run_id, ME, build.waiting(), (), NOW_MS)
    step = world.room.runs.complete(run_id, STEP, build.outcome(), build.plan(invokes="fn"))
    assert step.plan == build.waiting().plan


# resume


def test_an_event_resumes_a_wait_once_and_its_redelivery_goes_on(world: World) -> None:
    run_id, event = build.run(world, leased=ME), build.event(world)
    world.room.runs.register(run_id, ME, build.waiting(), (), NOW_MS)
    outcome = build.outcome(event.payload(), cause=build.caused_by(event))

    assert world.room.runs.resume(build.resumed(event, run_id), outcome) is Resumed.NOW
    assert world.room.runs.resume(build.resumed(event, run_id), outcome) is Resumed.EARLIER

    assert stored(world, run_id).outcome == outcome
    assert build.effects(world, event.internal_id) == [build.resumed(event, run_id)]


def test_an_event_resumes_each_wait_of_a_run_that_stands(world: World) -> None:
    run_id, event = build.run(world, leased=ME), build.event(world)
    for step_id in (STEP, OTHER_STEP):
        world.room.runs.register(run_id, ME, build.waiting(step_id), (), NOW_MS)

    assert world.room.runs.resume(build.resumed(event, run_id), build.outcome()) is Resumed.NOW
    assert world.room.runs.resume(build.resumed(event, run_id, OTHER_STEP), build.outcome()) is Resumed.NOW

    assert {stored(world, run_id, step_id).status for step_id in (STEP, OTHER_STEP)} == {StepStatus.COMPLETED}
    assert {effect.step_id for effect in build.effects(world, event.internal_id)} == {STEP, OTHER_STEP}


def test_of_two_events_the_first_resumes_and_only_it_is_in_the_audit(world: World) -> None:
    run_id, first, second = build.run(world, leased=ME), build.event(world), build.event(world)
    world.room.runs.register(run_id, ME, build.waiting(), (), NOW_MS)

    assert world.room.runs.resume(build.resumed(first, run_id), build.outcome("first")) is Resumed.NOW
    assert world.room.runs.resume(build.resumed(second, run_id), build.outcome("second")) is Resumed.NOT

    assert stored(world, run_id).outcome == build.outcome("first")
    assert build.effects(world, second.internal_id) == []


def test_an_event_resumes_nothing_that_does_not_wait(world: World) -> None:
    run_id, event = build.run(world), build.event(world)
    assert world.room.runs.resume(build.resumed(event, run_id), build.outcome()) is Resumed.NOT
    assert world.room.runs.get_step(run_id, STEP) is None

    world.room.runs.put_step(run_id, build.completed())
    assert world.room.runs.resume(build.resumed(event, run_id), build.outcome("event")) is Resumed.NOT
    assert build.effects(world, event.internal_id) == []


def test_an_event_resumes_two_runs(world: World) -> None:
    event, runs = build.event(world), [build.run(world, leased=ME) for _ in range(2)]
    for run_id in runs:
        world.room.runs.register(run_id, ME, build.waiting(), (), NOW_MS)
        assert world.room.runs.resume(build.resumed(event, run_id), build.outcome(build.LARGE)) is Resumed.NOW
    assert {effect.run_id for effect in build.effects(world, event.internal_id)} == set(runs)


# lease_step and drop_step_lease


def lease(world: World, run_id: str, who: Owner = ME, now_ms: int = NOW_MS) -> StepLease:
    return world.room.runs.lease_step(
        run_id, STEP, who, build.plan(planned=True), until_ms=now_ms + 60_000, now_ms=now_ms
    )


def shown(answer: StepLease) -> StepRecord:
    assert answer.step is not None
    return answer.step


def test_leasing_an_absent_step_creates_it_as_planned(world: World) -> None:
    run_id = build.run(world)

    taken = lease(world, run_id)

    assert taken.granted
    assert shown(taken) == stored(world, run_id)
    assert (shown(taken).status, shown(taken).plan) == (StepStatus.PLANNED, build.plan(planned=True))
    assert (shown(taken).starts, shown(taken).lease_until_ms, shown(taken).expires_at_s) == (1, LATER_MS, STAMP_S)


def test_leasing_keeps_the_plan_that_was_registered(world: World) -> None:
    run_id = build.run(world, leased=ME)
    planned = StepRecord(id=STEP, status=StepStatus.PLANNED, plan=build.plan(name="kept", planned=True))
    world.room.runs.register(run_id, ME, planned, (), NOW_MS)

    assert shown(lease(world, run_id)).plan.name == "kept"


def test_leasing_keeps_attempts_that_are_too_large_for_the_item(world: World) -> None:
    run_id = build.run(world)
    world.room.runs.put_retry(run_id, build.retrying(6, stack="x" * 8_000))

    taken = lease(world, run_id)

    assert shown(taken).failures == 6
    assert stored(world, run_id).failures == 6
    world.room.runs.put_retry(run_id, build.retrying(7, stack="x" * 8_000))
    assert stored(world, run_id).failures == 7


def test_a_step_s_lease_follows_the_rules_of_the_run_s(world: World) -> None:
    run_id = build.run(world)
    lease(world, run_id)

    mine, next_delivery, other = (lease(world, run_id, who) for who in (ME, MY_NEXT_DELIVERY, OTHER))

    assert (mine.granted, next_delivery.granted, other.granted) == (True, False, False)
    assert (next_delivery.own_message, next_delivery.lease_until_ms) == (True, LATER_MS)
    assert (other.own_message, stored(world, run_id).starts) == (False, 1)
    assert not lease(world, run_id, OTHER, now_ms=LATER_MS).granted
    taken = lease(world, run_id, OTHER, now_ms=LATER_MS + 1)
    assert (taken.granted, shown(taken).starts) == (True, 2)


def test_a_step_that_has_ended_or_waits_is_not_leased_but_shown(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.put_step(run_id, build.completed())
    assert not lease(world, run_id).granted
    assert same(shown(lease(world, run_id)), build.completed())

    other_run = build.run(world, leased=ME)
    world.room.runs.register(other_run, ME, build.waiting(), (), NOW_MS)
    assert not lease(world, other_run).granted
    assert shown(lease(world, other_run)).status is StepStatus.WAITING


def test_a_step_s_lease_is_given_back_by_its_owner_alone(world: World) -> None:
    run_id = build.run(world)
    lease(world, run_id)

    for who in (OTHER, MY_NEXT_DELIVERY):
        world.room.runs.drop_step_lease(run_id, STEP, who)
    assert not lease(world, run_id, OTHER).granted

    world.room.runs.drop_step_lease(run_id, STEP, ME)
    world.room.runs.drop_step_lease(run_id, STEP, ME)
    assert (stored(world, run_id).lease_until_ms, stored(world, run_id).starts) == (None, 0)
    assert lease(world, run_id, OTHER).granted
    world.room.runs.drop_step_lease(world.new(), STEP, ME)


# looking back


def looking(before: str) -> StepRecord:
    return build.waiting(lookback="run", accept_after_us=1).model_copy(update={"look_before": before})


def test_a_wait_keeps_how_far_it_has_looked_back_until_it_has(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.register(run_id, ME, looking("3"), (), NOW_MS)
    assert stored(world, run_id).is_looking_back

    assert world.room.runs.look_on(run_id, STEP, was="3", now="2").look_before == "2"
    # Another turn had begun where the first one did, and comes later.
    assert world.room.runs.look_on(run_id, STEP, was="3", now="1").look_before == "2"
    assert same(world.room.runs.look_on(run_id, STEP, was="2", now=None), stored(world, run_id))

    assert not stored(world, run_id).is_looking_back
    assert world.room.runs.look_on(run_id, STEP, was="2", now="1").look_before is None


def test_a_wait_that_has_ended_looks_back_no_further(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.register(run_id, ME, looking("3"), (), NOW_MS)
    ended = world.room.runs.complete(run_id, STEP, build.outcome())

    assert same(world.room.runs.look_on(run_id, STEP, was="3", now="2"), ended)
    assert not stored(world, run_id).is_looking_back
    with pytest.raises(LeaseLost):
        world.room.runs.look_on(world.new(), STEP, was="3", now=None)
