"""What an event costs that resumes a run, asserted: the same however many others wait for an event of its name. Times
are printed by `make bench-wait` and never asserted."""

from __future__ import annotations

import pytest

from chalicelib.core.matching import Condition, Shape, condition_holds, lookup_keys
from chalicelib.engine.index import Place
from infra.local.cloud import Cloud
from tests.bench import waits
from tests.bench.wait import SHAPES, Stage

OTHERS = 200


@pytest.fixture(scope="module")
def stage(aws: Cloud) -> Stage:
    return Stage(aws)


@pytest.mark.parametrize("others", [0, OTHERS])
def test_an_event_reads_and_writes_the_same_however_many_wait_besides(stage: Stage, others: int) -> None:
    stage.load(others)

    found = stage.measure(2 * SHAPES, warm=SHAPES)

    lines = found.purposes.lines
    each = {
        purpose: (line.requests / len(found.times), line.writes / len(found.times)) for purpose, line in lines.items()
    }
    assert each == {
        # Whether an app was synced: one for each invocation, be it for ten events.
        "read: registry version": (1, 0),
        # Its shapes, and of each shape one key.
        "read: query pauses": (1 + SHAPES, 0),
        # Whether the wait is over, and what it leaves behind.
        "BatchGetItem": (1, 0),
        # The record has more than 1 KB; the times of its stages have a row of their own.
        "event record": (2, 2 + 1),
        # Units are double in a transaction; the step has more than 1 KB with the event in it.
        "transaction: effect (marker and audit), step": (1, 2 * (1 + 2)),
        "sqs SendMessage work": (1, 0),
        # The row of the index, and the timer.
        "BatchWriteItem": (2, 2),
    }
    assert (found.reads, found.writes) == (3 + SHAPES, 11)


def test_waits_that_are_put_in_directly_are_found_by_their_events(stage: Stage) -> None:
    """Else it would not matter how many there are."""
    stage.load(OTHERS)
    index = stage.bench.platform.services.pauses
    for number in (0, 1, OTHERS - 1):
        event = waits.answer(number, SHAPES, number % SHAPES).payload()
        keys = [key for paths in index.shapes(waits.EVENT) for key in lookup_keys(waits.EVENT, Shape.of(paths), event)]
        rows = [row for page in index.pages([Place(key) for key in keys], 50) for row in page.rows]
        (found,) = rows
        assert found.condition is not None
        assert condition_holds(Condition.from_json(found.condition), event).value
