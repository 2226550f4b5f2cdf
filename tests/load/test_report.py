"""What a load is judged by: each promise is broken by what breaks it, and by nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.load.report import Told, promises
from tests.load.watch import Look, growth
from tests.load.work import KINDS, Sent, wanted
from tests.load.worker import Spent


def look(at_s: int, megabytes: float, phase: str = "steady", visible: int = 0) -> Look:
    return Look(at_s, phase, visible, 0, 0, 0, 0, (70.0, megabytes))


def good() -> Told:
    """Ten events of each kind, and nothing wrong."""
    sent = Sent(Counter())
    kinds, _ = sent.next_batch(60)
    sent.accepted(kinds)
    steps = wanted(sent.number)
    return Told(
        sent=sent,
        executed=Counter(steps),
        wanted=steps,
        looks=[look(0, 60.0, "burst", visible=9), *(look(second, 70.0 + second % 2) for second in range(1, 60))],
        spent=Spent(writes=600.0, reads=300.0, dynamodb=900, sqs=90, delivered=90),
        alone={kind.name: Spent(10.0, 5.0, 15, 3, 3) for kind in KINDS},
        completed=sent.runs,
        not_completed=0,
        dead_letters=0,
        left=0,
        errors=Counter(),
        burst_s=1.0,
        burst_events=60,
        rate=10,
    )


def broken(told: Told) -> list[str]:
    return [promise.text.split(":")[0] for promise in promises(told, 4.0) if not promise.held]


def test_nothing_is_broken_where_nothing_is_wrong() -> None:
    assert broken(good()) == []


def test_each_event_asks_for_its_own_steps() -> None:
    told = good()
    assert len(told.wanted) == told.sent.steps == sum(told.executed.values())
    assert {step for _, step in told.wanted} == {step for kind in KINDS for step in kind.steps}


STEP = (0, "plain")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"executed": Counter({one: 1 for one in good().wanted if one != STEP})},
            "every accepted event had its effects",
        ),
        ({"executed": Counter(good().wanted) + Counter([STEP])}, "no effect came twice"),
        ({"executed": Counter(good().wanted) + Counter([(1, "never asked for")])}, "no effect came twice"),
        ({"completed": 1}, "every run ended well"),
        ({"not_completed": 1}, "every run ended well"),
        ({"left": 3}, "the backlog rose, and drained"),
        ({"dead_letters": 1}, "nothing among the dead letters"),
        ({"errors": Counter(["message stays on the queue"])}, "no error logged"),
        ({"looks": [look(second, 70.0 + second / 4, visible=1) for second in range(60)]}, "memory of each worker flat"),
        ({"looks": [look(0, 60.0, "burst", visible=1)]}, "memory of each worker flat"),
        ({"spent": Spent(writes=6_000.0)}, "write units at most 1.5 times those of each alone"),
    ],
)
def test_what_is_wrong_breaks_its_promise_alone(changes: dict[str, Any], text: str) -> None:
    assert broken(replace(good(), **changes)) == [text]


def test_growth_is_told_as_it_is() -> None:
    found = growth([look(second, 70.0 + second / 60) for second in range(60)], 1)
    assert found.mb_a_minute == pytest.approx(1.0)
    assert found.mb == pytest.approx(0.75)
    assert growth([look(second, 70.0) for second in range(60)], 1).mb == 0
