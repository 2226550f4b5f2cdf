"""How an event joins a debounce or a batch."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core import limits
from chalicelib.core.joining import Arrival, Generation, Join, JoinKind, Outcome, join

NOW = 1_800_000_000_000
S = limits.SECOND_MS
DEBOUNCE = Join(kind=JoinKind.DEBOUNCE, digest="d", period_ms=10 * S, longest_ms=25 * S)
BATCH = Join(kind=JoinKind.BATCH, digest="d", period_ms=10 * S, max_size=3)


def arrival(name: str, **fields: Any) -> Arrival:
    known: dict[str, Any] = {
        "event_id": name,
        "ts": NOW,
        "size_bytes": 10,
        "is_invocation": False,
        "would_open": f"run-{name}",
    }
    return Arrival(**known | fields)


def come(how: Join, *arrivals: tuple[int, Arrival], known: Generation | None = None) -> Outcome:
    """One after the other, each so many seconds after now; what followed from the last."""
    outcome = Outcome(known, None)  # type: ignore[arg-type]
    for seconds, one in arrivals:
        outcome = join(outcome.open, how, one, NOW + seconds * S)
    return outcome


def test_the_first_opens_one() -> None:
    outcome = come(DEBOUNCE, (0, arrival("a")))

    assert outcome.open == Generation(
        run_id="run-a", first_ms=NOW, due_ms=NOW + 10 * S, events=("a",), size_bytes=10, ts=NOW
    )
    assert (outcome.joined.run_id, outcome.joined.opened, outcome.joined.closed) == ("run-a", True, ())
    assert outcome.closed == ()


@pytest.mark.parametrize(
    ("times", "due"),
    [((0,), 10), ((0, 9), 19), ((0, 9, 18), 25), ((0, 9, 18, 24), 25), ((0, 0), 10)],
)
def test_each_makes_a_debounce_wait_anew_up_to_its_timeout(times: tuple[int, ...], due: int) -> None:
    outcome = come(DEBOUNCE, *((at, arrival(f"e{at}-{n}")) for n, at in enumerate(times)))

    assert outcome.open is not None
    assert (outcome.open.due_ms, outcome.open.count) == (NOW + due * S, len(times))
    assert outcome.joined.due_ms == NOW + due * S


def test_without_a_timeout_it_may_wait_for_ever() -> None:
    endless = DEBOUNCE.model_copy(update={"longest_ms": None})
    outcome = come(endless, *((at, arrival(f"e{at}")) for at in range(0, 900, 9)))

    assert outcome.open is not None
    assert (outcome.open.run_id, outcome.open.due_ms) == ("run-e0", NOW + (891 + 10) * S)


@pytest.mark.parametrize(("times", "newest"), [((1, 2, 3), "c"), ((3, 2, 1), "a"), ((1, 3, 2), "b"), ((1, 1, 1), "c")])
def test_a_debounce_has_the_newest_by_the_senders_times(times: tuple[int, ...], newest: str) -> None:
    arrivals = ((0, arrival(name, ts=ts)) for name, ts in zip("abc", times, strict=True))
    outcome = come(DEBOUNCE, *arrivals)

    assert outcome.open is not None
    assert outcome.open.events == (newest,)


def test_in_whatever_order_those_of_one_time_come_the_same_is_the_newest() -> None:
    for order in ("abc", "cba", "bca"):
        outcome = come(DEBOUNCE, *((0, arrival(name)) for name in order))
        assert outcome.open is not None
        assert outcome.open.events == ("c",)


@pytest.mark.parametrize(
    ("first", "second", "overtaken"),
    [
        ({"is_invocation": True}, {}, "a"),
        ({}, {"is_invocation": True}, None),
        ({}, {"is_invocation": True, "ts": NOW - 1}, "b"),
        ({"is_invocation": True}, {"is_invocation": True}, "a"),
        ({"is_invocation": True}, {"ts": NOW - 1}, None),
        ({}, {}, None),
    ],
)
def test_who_waits_for_an_event_that_is_overtaken_is_to_be_told(
    first: dict[str, Any], second: dict[str, Any], overtaken: str | None
) -> None:
    outcome = come(DEBOUNCE, (0, arrival("a", **first)), (1, arrival("b", **second)))

    assert outcome.joined.overtaken == overtaken


@pytest.mark.parametrize("how", [DEBOUNCE, BATCH])
def test_what_is_due_is_closed_by_who_comes_and_not_joined(how: Join) -> None:
    outcome = come(how, (0, arrival("a")), (10, arrival("b")))

    assert [one.run_id for one in outcome.closed] == ["run-a"]
    assert outcome.open is not None
    assert outcome.open.events == ("b",)
    assert (outcome.joined.opened, outcome.joined.closed) == (True, ("run-a",))


def test_one_that_is_full_is_closed_at_once() -> None:
    outcome = come(BATCH, (0, arrival("a")), (1, arrival("b")), (2, arrival("c")))

    assert outcome.open is None
    [full] = outcome.closed
    assert (full.events, full.count, full.size_bytes, full.due_ms) == (("a", "b", "c"), 3, 30, NOW + 10 * S)
    assert (outcome.joined.opened, outcome.joined.closed) == (False, ("run-a",))


def test_a_batch_is_closed_before_what_does_not_fit() -> None:
    half = limits.MAX_BATCH_BYTES // 2
    assert come(BATCH, (0, arrival("a", size_bytes=half)), (0, arrival("b", size_bytes=half))).closed == ()

    outcome = come(BATCH, (0, arrival("a", size_bytes=half)), (0, arrival("b", size_bytes=half + 1)))

    assert [one.events for one in outcome.closed] == [("a",)]
    assert outcome.open is not None
    assert outcome.open.events == ("b",)


def test_a_configuration_with_smaller_batches_holds_at_once() -> None:
    large = come(BATCH.model_copy(update={"max_size": 10}), *((0, arrival(name)) for name in "abcd")).open

    outcome = come(BATCH, (1, arrival("e")), known=large)

    assert [one.events for one in outcome.closed] == [tuple("abcd")]
    assert outcome.open is not None
    assert outcome.open.events == ("e",)


def test_a_shorter_period_brings_nothing_forward() -> None:
    longer = come(DEBOUNCE.model_copy(update={"period_ms": 20 * S}), (0, arrival("a"))).open

    outcome = come(DEBOUNCE, (1, arrival("b")), known=longer)

    assert outcome.joined.due_ms == NOW + 20 * S
