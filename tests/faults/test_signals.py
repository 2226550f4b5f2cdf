"""A signal comes by a request, which nobody brings again when the process dies: a wait that it has ended must not leave
its run asleep."""

from __future__ import annotations

import pytest

from chalicelib.core.runs import RunStatus
from chalicelib.engine import signals
from tests.faults import observe
from tests.faults.conftest import MakeWorld
from tests.faults.injector import Mode, Point
from tests.faults.scenarios import USER, signalled


@pytest.mark.parametrize("mode", [Mode.BEFORE, Mode.AFTER])
def test_a_run_whose_wait_has_ended_wakes_though_the_sender_never_asks_again(make_world: MakeWorld, mode: Mode) -> None:
    ended = 0
    for number in range(20):
        world = make_world(signalled)
        world.send("t/signalled", USER)
        world.injector.point = Point(len(world.injector.calls) + number, mode)
        survived = world.invoke(lambda p: signals.send(p.services, "s", {"n": 1}))
        world.settle()
        world.advance("1m")

        (run,) = observe.load_runs(world).values()
        (step,) = (step for step in run.steps.values() if step.plan.name == "the-signal")
        assert step.status.is_final is (run.head.status is RunStatus.COMPLETED), f"call {number}"
        ended += step.status.is_final
        if survived:
            break
    assert survived
    assert ended > 1
