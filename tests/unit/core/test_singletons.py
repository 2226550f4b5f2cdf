"""Who holds a singleton's place, and whether that is over."""

from __future__ import annotations

import pytest

from chalicelib.core import limits
from chalicelib.core.events import Event
from chalicelib.core.records import EventRecord, Start
from chalicelib.core.runs import Ending, RunHead, RunSeed, RunStatus
from chalicelib.core.singletons import Holder, is_late, is_later, is_over, take

NOW = 1_800_000_000_000
MINUTE, HOUR = limits.MINUTE_MS, limits.HOUR_MS


def holder(run_id: str = "a", since_ms: int = NOW) -> Holder:
    return Holder(run_id=run_id, event_id="e", since_ms=since_ms)


def head(status: RunStatus | None = None) -> RunHead:
    ending = None if status is None else Ending(status=status, ended_at_ms=NOW)
    return RunHead(seed=seed(), ending=ending)


def seed(run_id: str = "a", received_ms: int = NOW, created_ms: int = NOW) -> RunSeed:
    return RunSeed(
        run_id=run_id,
        fn_id="f",
        event_id="e",
        event_name="n",
        trigger_received_at_us=received_ms * 1_000,
        created_at_ms=created_ms,
    )


def record(*starts: Start, at_ms: int = NOW) -> EventRecord:
    event = Event(internal_id="e", received_at_us=NOW, id="e", name="n", data={}, ts=NOW, source="api")
    return EventRecord(event=event, starts=starts, processed_at_ms=at_ms)


STARTED, SKIPPED = Start(fn_id="f", run_id="a"), Start(fn_id="f", run_id="a", skipped="there is another")
OTHERS = Start(fn_id="g", run_id="b")


@pytest.mark.parametrize(
    ("held", "me", "after"),
    [
        (None, holder(), holder()),
        (holder("b"), holder(), holder("b")),
        (holder("b", NOW - HOUR), holder(), holder("b", NOW - HOUR)),
        # The same run: a claim stays young, but is not written again and again.
        (holder("a", NOW - MINUTE), holder(), holder("a", NOW - MINUTE)),
        (holder("a", NOW - MINUTE - 1), holder(), holder()),
    ],
)
def test_who_holds_it_afterwards(held: Holder | None, me: Holder, after: Holder) -> None:
    assert take(held, me) == after


@pytest.mark.parametrize(
    ("its_head", "its_record", "later_ms", "over"),
    [
        (head(), None, 1000 * HOUR, False),
        (head(), record(SKIPPED), 0, False),
        (head(RunStatus.CANCELLED), record(STARTED), 0, True),
        # Claimed, and nothing more: somebody is at it, or died.
        (None, None, 15 * MINUTE, False),
        (None, None, 16 * MINUTE, True),
        # Another delivery of its event was first, and decided otherwise.
        (None, record(SKIPPED), 0, True),
        (None, record(OTHERS), 0, True),
        # About to be created; or its message is lost, or its run was deleted long after its end.
        (None, record(OTHERS, STARTED), HOUR, False),
        (None, record(OTHERS, STARTED), HOUR + 1, True),
    ],
)
def test_whether_it_is_over(
    its_head: RunHead | None, its_record: EventRecord | None, later_ms: int, over: bool
) -> None:
    assert is_over(holder(), its_head, its_record, NOW + later_ms) is over


def test_late_is_sooner_than_a_claim_is_given_up() -> None:
    assert not is_late(seed(created_ms=NOW + HOUR // 2))
    assert is_late(seed(created_ms=NOW + HOUR // 2 + 1))


def test_the_one_accepted_later_comes_later_whenever_it_was_created() -> None:
    assert is_later(seed(received_ms=NOW + 1), seed(created_ms=NOW + 5))
    assert is_later(seed("b"), seed("a"))
    assert not is_later(seed("a"), seed("b"))
