"""AWS refuses, conflicts, and answers in small pieces: nothing is lost, nothing happens twice, and what failed comes
back alone and soon."""

from __future__ import annotations

import pytest

from tests.faults import observe
from tests.faults.conftest import BaselineOf
from tests.faults.emulator import Emulator
from tests.faults.harness import Played, compare, play
from tests.faults.injector import Refusal
from tests.faults.rules import refuse, refuse_all_transactions, small_pages
from tests.faults.sampled import scenarios, some
from tests.faults.scenarios import SCENARIOS, SETTINGS, enter
from tests.faults.world import World

THROTTLED = Refusal(400, "ProvisionedThroughputExceededException")
BROKEN = Refusal(500, "InternalServerError")
UNAVAILABLE = Refusal(503, "ServiceUnavailable")
_REFUSALS = (THROTTLED, BROKEN, UNAVAILABLE)
# Botocore itself tries four times.
_TRIES = 4


@pytest.mark.parametrize("name", scenarios(2))
def test_reads_may_come_in_small_pages(emulator: Emulator, baseline_of: BaselineOf, name: str) -> None:
    scenario = SCENARIOS[name]
    baseline = baseline_of(scenario.name)
    played = play(emulator, scenario, rules=[small_pages])
    assert compare(played, scenario, baseline) == []
    assert len(played.world.injector.calls) > len(baseline.calls)


@pytest.mark.parametrize("name", some(("wait fulfilled",), "cancel waiting", "two waits", "parallel", "sleep far"))
def test_a_transaction_that_conflicts_is_tried_again(emulator: Emulator, baseline_of: BaselineOf, name: str) -> None:
    scenario = SCENARIOS[name]
    baseline = baseline_of(scenario.name)
    played = play(emulator, scenario, rules=[refuse_all_transactions(2)])
    assert compare(played, scenario, baseline) == []
    assert len(played.world.injector.calls) > len(baseline.calls)


@pytest.mark.parametrize("name", some(("cancel waiting",), "wait fulfilled", "parallel"))
def test_a_transaction_that_never_gets_through_sends_its_message_back(
    emulator: Emulator, baseline_of: BaselineOf, name: str
) -> None:
    """Six conflicts are more than the room tries; the message's next delivery gets through."""
    scenario = SCENARIOS[name]
    baseline = baseline_of(scenario.name)
    played = play(emulator, scenario, rules=[refuse_all_transactions(6)])
    found = [text for text in compare(played, scenario, baseline) if " ran " not in text]
    assert found == []
    assert any("error" in result for result in played.world.results)


@pytest.mark.parametrize(
    ("name", "operation"),
    some(
        (("steps", "dynamodb.PutItem"), ("wait fulfilled", "dynamodb.TransactWriteItems")),
        ("steps", "dynamodb.UpdateItem"),
        ("wait fulfilled", "dynamodb.Query"),
        ("cancel waiting", "dynamodb.BatchWriteItem"),
        ("parallel", "dynamodb.UpdateItem"),
    ),
)
def test_refused_calls_do_no_harm(emulator: Emulator, baseline_of: BaselineOf, name: str, operation: str) -> None:
    """Each of the first calls in turn is refused for longer than botocore insists."""
    scenario = SCENARIOS[name]
    baseline = baseline_of(scenario.name)
    for skip in range(sum(call == operation for call in baseline.calls)):
        refusal = _REFUSALS[skip % len(_REFUSALS)]
        played = play(emulator, scenario, rules=[refuse(operation, refusal, times=_TRIES, skip=skip)])
        assert any("error" in result for result in played.world.results), f"call {skip} was not refused"
        played.world.watch.extra_allowed.update(played.world.executions.keys())
        assert compare(played, scenario, baseline) == [], f"call {skip}"


@pytest.mark.parametrize("name", some(("steps",), "hand-over", "parallel", "wait fulfilled", "sleep near", "invoke"))
def test_a_send_that_fails_is_made_good(emulator: Emulator, baseline_of: BaselineOf, name: str) -> None:
    scenario = SCENARIOS[name]
    baseline = baseline_of(scenario.name)
    sends = [call for call in baseline.calls if call in ("sqs.SendMessage", "sqs.SendMessageBatch")]
    for skip in range(len(sends)):
        played = play(emulator, scenario, rules=[refuse("sqs.SendMessage", UNAVAILABLE, times=_TRIES, skip=skip)])
        played.world.watch.extra_allowed.update(played.world.executions.keys())
        assert compare(played, scenario, baseline) == [], f"send {skip}"


@pytest.mark.parametrize("partial_batches", ["0", "1"])
def test_what_failed_comes_back_alone_and_soon(
    emulator: Emulator, baseline_of: BaselineOf, partial_batches: str
) -> None:
    """Of a batch, whether or not the queue understands an answer that names what failed."""
    scenario = SCENARIOS["batch"]
    baseline = baseline_of(scenario.name)
    world = World(emulator, scenario.functions, settings={**SETTINGS, "PARTIAL_BATCHES": partial_batches})
    enter(world)
    # The second event's record cannot be written.
    puts = [number for number, call in enumerate(baseline.calls) if call == "dynamodb.PutItem"]
    assert len(puts) > 4
    world.injector.rules.append(refuse("dynamodb.PutItem", THROTTLED, times=_TRIES, skip=4))
    world.accept([{"name": "t/steps", "data": {"n": 1}}, {"name": "t/caught", "data": {"n": 2}}])
    world.deliver("events")
    (left,) = world.emulator.messages("stepwell-test-events")
    assert '"t/caught"' in left.body
    assert left.hidden_until_ms - world.now_ms <= 2_000
    world.settle()
    seen = observe.picture(world)
    assert compare(Played(world, seen, seen), scenario, baseline) == []


def test_no_fault_hides_in_the_comparison(emulator: Emulator, baseline_of: BaselineOf) -> None:
    """Two scenarios that differ are seen to differ."""
    baseline = baseline_of("steps")
    played = play(emulator, SCENARIOS["sleep near"])
    assert compare(played, SCENARIOS["steps"], baseline)
    assert observe.problems(played.world) == []
