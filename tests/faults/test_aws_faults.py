"""AWS refuses, conflicts, and answers in small pieces: nothing is lost, nothing happens twice, and what failed comes
back alone and soon."""

from __future__ import annotations

import pytest

from tests.faults import observe
from tests.faults.emulator import Emulator
from tests.faults.harness import compare, undisturbed
from tests.faults.injector import Refusal, Rule
from tests.faults.rules import refuse, refuse_all_transactions, small_pages
from tests.faults.scenarios import SCENARIOS, Scenario, enter
from tests.faults.world import World

THROTTLED = Refusal(400, "ProvisionedThroughputExceededException")
BROKEN = Refusal(500, "InternalServerError")
UNAVAILABLE = Refusal(503, "ServiceUnavailable")
# Botocore itself tries four times.
_TRIES = 4


def _disturbed(emulator: Emulator, scenario: Scenario, *rules: Rule) -> World:
    world = World(emulator, scenario.functions, remaining_ms=scenario.remaining_ms, arm_ticks=scenario.arm_ticks)
    world.injector.rules += rules
    enter(world)
    scenario.script(world)
    if not scenario.open_runs:
        world.finish()
    return world


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_reads_may_come_in_small_pages(emulator: Emulator, name: str) -> None:
    scenario = SCENARIOS[name]
    baseline = undisturbed(emulator, scenario)
    world = _disturbed(emulator, scenario, small_pages)
    assert compare(world, scenario, baseline) == []
    assert len(world.injector.calls) > len(baseline.calls)


@pytest.mark.parametrize("name", ["wait fulfilled", "cancel waiting", "two waits", "parallel", "sleep far"])
def test_a_transaction_that_conflicts_is_tried_again(emulator: Emulator, name: str) -> None:
    scenario = SCENARIOS[name]
    baseline = undisturbed(emulator, scenario)
    world = _disturbed(emulator, scenario, refuse_all_transactions(2))
    assert compare(world, scenario, baseline) == []
    assert len(world.injector.calls) > len(baseline.calls)


@pytest.mark.parametrize("name", ["wait fulfilled", "cancel waiting", "parallel"])
def test_a_transaction_that_never_gets_through_sends_its_message_back(emulator: Emulator, name: str) -> None:
    """Six conflicts are more than the room tries; the message's next delivery gets through."""
    scenario = SCENARIOS[name]
    baseline = undisturbed(emulator, scenario)
    world = _disturbed(emulator, scenario, refuse_all_transactions(6))
    found = [text for text in compare(world, scenario, baseline) if " ran " not in text]
    assert found == []
    assert any("error" in result for result in world.results)


@pytest.mark.parametrize("refusal", [THROTTLED, BROKEN, UNAVAILABLE], ids=lambda refusal: str(refusal.code))
@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("steps", "dynamodb.PutItem"),
        ("steps", "dynamodb.UpdateItem"),
        ("wait fulfilled", "dynamodb.TransactWriteItems"),
        ("wait fulfilled", "dynamodb.Query"),
        ("cancel waiting", "dynamodb.BatchWriteItem"),
        ("parallel", "dynamodb.UpdateItem"),
    ],
)
def test_refused_calls_do_no_harm(emulator: Emulator, name: str, operation: str, refusal: Refusal) -> None:
    """Each of the first calls in turn is refused for longer than botocore insists."""
    scenario = SCENARIOS[name]
    baseline = undisturbed(emulator, scenario)
    for skip in range(sum(call == operation for call in baseline.calls)):
        world = _disturbed(emulator, scenario, refuse(operation, refusal, times=_TRIES, skip=skip))
        assert any("error" in result for result in world.results), f"call {skip} was not refused"
        world.watch.extra_allowed.update(world.executions.keys())
        assert compare(world, scenario, baseline) == [], f"call {skip}"


@pytest.mark.parametrize("name", ["steps", "hand-over", "parallel", "wait fulfilled", "sleep near", "invoke"])
def test_a_send_that_fails_is_made_good(emulator: Emulator, name: str) -> None:
    scenario = SCENARIOS[name]
    baseline = undisturbed(emulator, scenario)
    sends = [call for call in baseline.calls if call in ("sqs.SendMessage", "sqs.SendMessageBatch")]
    # The first one is the client's own request, which is answered with an error.
    for skip in range(1, len(sends)):
        world = _disturbed(emulator, scenario, refuse("sqs.SendMessage", UNAVAILABLE, times=_TRIES, skip=skip))
        world.watch.extra_allowed.update(world.executions.keys())
        assert compare(world, scenario, baseline) == [], f"send {skip}"


def test_what_failed_comes_back_alone_and_soon(emulator: Emulator) -> None:
    scenario = SCENARIOS["batch"]
    baseline = undisturbed(emulator, scenario)
    world = World(emulator, scenario.functions)
    enter(world)
    # The second event's record cannot be written.
    puts = [number for number, call in enumerate(baseline.calls) if call == "dynamodb.PutItem"]
    assert len(puts) > 4
    world.injector.rules.append(refuse("dynamodb.PutItem", THROTTLED, times=_TRIES, skip=4))
    world.accept([{"name": "t/steps", "data": {"n": 1}}, {"name": "t/caught", "data": {"n": 2}}])
    world.deliver("events")
    (left,) = world.emulator.messages("stepwell-test-events")
    assert '"t/caught"' in left.body
    assert left.visible_at - world.now_ms <= 2_000
    world.settle()
    world.finish()
    assert compare(world, scenario, baseline) == []


def test_no_fault_hides_in_the_comparison(emulator: Emulator) -> None:
    """Two scenarios that differ are seen to differ."""
    baseline = undisturbed(emulator, SCENARIOS["steps"])
    world = _disturbed(emulator, SCENARIOS["sleep near"])
    assert compare(world, SCENARIOS["steps"], baseline)
    assert observe.problems(world) == []
