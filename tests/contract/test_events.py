"""engine.ports.Events: put once, read by name and time without a gap, and the window of users' ids."""

from __future__ import annotations

import hashlib

import pytest

from chalicelib.core import ids, limits
from chalicelib.core.records import EventPage, EventRecord, Start
from tests.contract import build
from tests.contract.conftest import NOW_MS, World

ME = build.owner()
FIRST, LAST = ids.position(0), ids.position(NOW_MS * 2)


def put_at(world: World, name: str, *times_ms: int) -> list[EventRecord]:
    records = [build.record(build.event(world, name, at_ms=at_ms)) for at_ms in times_ms]
    for record in records:
        world.room.events.put(record)
    return records


def walk(world: World, name: str, limit: int, newest_first: bool) -> list[EventRecord]:
    """All events of a name, page by page."""
    found: list[EventRecord] = []
    after, before = FIRST, LAST
    while True:
        page = world.room.events.page(name, after=after, before=before, limit=limit, newest_first=newest_first)
        assert len(page.records) <= limit
        found += page.records
        if page.next_position is None:
            return found
        after, before = (after, page.next_position) if newest_first else (page.next_position, before)


# put and get


def test_a_record_is_put_once_and_the_first_one_stays(world: World) -> None:
    event = build.event(world, data={"n": 1, "ä": [None, 1.5]})
    first = build.record(event, starts=(Start(fn_id="fn", run_id=world.new()),), cron="* * * * *")

    assert world.room.events.put(first) == first
    assert world.room.events.put(first) == first
    assert world.room.events.put(build.record(event)) == first

    assert world.room.events.get(event.internal_id) == first
    assert world.room.events.get(build.event(world).internal_id) is None


def test_a_large_event_is_read_back_whole_by_every_way(world: World) -> None:
    record = build.record(build.event(world, data={"text": build.LARGE}))

    world.room.events.put(record)

    assert world.room.events.put(build.record(build.event(world))) != record
    assert world.room.events.put(record.model_copy(update={"processed_at_ms": 0})) == record
    assert world.room.events.get(record.event.internal_id) == record
    assert walk(world, record.event.name, 5, True) == [record]


def test_an_event_that_tells_a_run_s_end_is_kept_without_its_data(world: World) -> None:
    event = build.event(world, data={"result": 1})
    record = build.record(event, from_run=world.new())

    assert world.room.events.put(record) == record

    bare = event.model_copy(update={"data": {}})
    assert world.room.events.get(event.internal_id) == record.model_copy(update={"event": bare})


def test_an_event_accepted_at_another_time_than_its_id_says_stands_where_it_was_accepted(world: World) -> None:
    name = world.name()
    early, late = put_at(world, name, NOW_MS, NOW_MS + 10_000)
    event = build.event(world, name, at_ms=NOW_MS - 86_400_000).model_copy(
        update={"received_at_us": (NOW_MS + 5_000) * 1000}
    )
    record = build.record(event)

    for _ in range(2):
        assert world.room.events.put(record) == record

    assert world.room.events.get(event.internal_id) == record
    assert walk(world, name, 10, False) == [early, record, late]
    assert walk(world, name, 1, True) == [late, record, early]


def test_a_send_that_was_repeated_leaves_one_event(world: World) -> None:
    """Its id is derived, its time of acceptance is not: the second put leaves a pointer of its own."""
    event = build.event(world, at_ms=NOW_MS - 1)
    for delay_s in (5, 9):
        repeated = event.model_copy(update={"received_at_us": (NOW_MS + delay_s * 1000) * 1000})
        stored = world.room.events.put(build.record(repeated))
        assert stored.event.received_at_ms == NOW_MS + 5_000

    assert len(walk(world, event.name, 10, False)) == 1
    assert len(walk(world, event.name, 1, True)) == 1


# page


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("limit", [1, 4, 11, 12, 50])
def test_events_of_a_name_come_in_order_across_shards_page_by_page(
    world: World, limit: int, newest_first: bool
) -> None:
    name = world.name()
    records = put_at(world, name, *(NOW_MS + 7 * number for number in range(12)))

    expected = list(reversed(records)) if newest_first else records
    assert walk(world, name, limit, newest_first) == expected


def test_both_ends_of_a_page_are_exclusive_of_ids_and_inclusive_of_times(world: World) -> None:
    name = world.name()
    records = put_at(world, name, *(NOW_MS + number for number in range(4)))

    def between(after: str, before: str) -> list[EventRecord]:
        return list(world.room.events.page(name, after=after, before=before, limit=9, newest_first=False).records)

    # A position without an id stands before every id of its millisecond.
    assert between(ids.position(NOW_MS + 1), ids.position(NOW_MS + 3)) == records[1:3]
    assert between(records[0].event.internal_id, records[3].event.internal_id) == records[1:3]


def test_a_page_between_positions_the_wrong_way_round_is_empty(world: World) -> None:
    name = world.name()
    put_at(world, name, NOW_MS)
    for after, before in ((LAST, FIRST), (FIRST, FIRST)):
        assert world.room.events.page(name, after=after, before=before, limit=5) == EventPage(records=())


@pytest.mark.parametrize("newest_first", [True, False])
def test_events_of_a_name_are_read_one_by_one_between_two_positions(world: World, newest_first: bool) -> None:
    name = world.name()
    records = put_at(world, name, *(NOW_MS + number for number in range(130)))
    positions = [ids.event_position(record.event.internal_id, record.event.received_at_ms) for record in records]

    found = world.room.events.between(name, after=positions[2], before=positions[-2], newest_first=newest_first)
    expected = records[3:-2]
    assert list(found) == (expected[::-1] if newest_first else expected)
    assert list(world.room.events.between(name, after=LAST, before=FIRST, newest_first=newest_first)) == []


def test_names_that_share_a_partition_do_not_see_each_other(world: World) -> None:
    one, other = _colliding(world)
    mine = put_at(world, one, NOW_MS, NOW_MS + 2)
    put_at(world, other, NOW_MS + 1, NOW_MS + 3)

    assert walk(world, one, 1, False) == mine


def _colliding(world: World) -> tuple[str, str]:
    seen: dict[str, str] = {}
    salt = world.new()
    for number in range(20_000):
        name = f"contract/{hashlib.sha1(f'{salt}{number}'.encode()).hexdigest()}"
        other = seen.setdefault(ids.name_bucket(name), name)
        if other != name:
            return other, name
    raise AssertionError("no two names with one bucket")


def test_what_an_event_touched_is_not_taken_for_an_event(world: World) -> None:
    run_id = build.run(world)
    name = world.name()
    (record,) = put_at(world, name, NOW_MS)
    world.room.runs.cancel_by(build.cancelled(record.event, run_id), build.ending())

    assert walk(world, name, 5, False) == [record]
    assert build.effects(world, record.event.internal_id) == [build.cancelled(record.event, run_id)]
    assert build.effects(world, world.new()) == []


@pytest.mark.parametrize("newest_first", [True, False])
def test_what_an_event_touched_is_jumped_over(world: World, newest_first: bool) -> None:
    name, crowd = world.name(), 70
    records = put_at(world, name, *(NOW_MS + number for number in range(9)))
    _touch(world, records[4], crowd)
    read: list[int] = []
    fresh = world.again()
    world.session.register("after-call.dynamodb.Query", lambda **call: read.append(call["parsed"]["ScannedCount"]))

    found = list(fresh.events.between(name, after=FIRST, before=LAST, newest_first=newest_first))

    assert found == (records[::-1] if newest_first else records)
    # At most a page of them, and what came with its last one.
    assert sum(read) < len(records) + crowd / 2
    assert walk(world, name, 2, newest_first) == found


def _touch(world: World, record: EventRecord, runs: int) -> None:
    """As if the event had resumed so many runs."""
    for _ in range(runs):
        run_id = build.run(world, leased=ME)
        world.room.runs.register(run_id, ME, build.waiting(), (), NOW_MS)
        world.room.runs.resume(build.resumed(record.event, run_id), build.outcome())


# claim_id


def test_a_user_s_id_is_claimed_by_the_first_run_for_24_hours(world: World) -> None:
    fn_id, first, second = f"fn-{world.new()}", world.new(), world.new()
    claim = world.room.events.claim_id
    until = NOW_MS + limits.EVENT_ID_WINDOW_MS

    assert claim(fn_id, "order-1", first, NOW_MS) == first
    assert claim(fn_id, "order-1", second, NOW_MS + 1) == first
    assert claim(fn_id, "order-1", second, until) == first
    assert claim(fn_id, "order-1", second, until + 1) == second
    assert claim(fn_id, "order-1", first, until + 2) == second


def test_a_redelivery_finds_its_own_claim(world: World) -> None:
    fn_id, run_id = f"fn-{world.new()}", world.new()
    assert {world.room.events.claim_id(fn_id, "x", run_id, NOW_MS + delay) for delay in (0, 5, 10)} == {run_id}


def test_claims_are_of_one_function_and_one_id(world: World) -> None:
    fn_id, runs = f"fn-{world.new()}", [world.new() for _ in range(4)]
    names = [(fn_id, "a"), (fn_id, "b"), (f"{fn_id}-2", "a"), (fn_id, "ä" * limits.MAX_EVENT_ID_CHARS)]
    assert [world.room.events.claim_id(*name, run_id, NOW_MS) for name, run_id in zip(names, runs, strict=True)] == runs


def test_a_claim_is_taken_back_by_the_run_that_holds_it(world: World) -> None:
    fn_id, holder, other = f"fn-{world.new()}", world.new(), world.new()
    events = world.room.events
    events.release_id(fn_id, "x", holder)
    assert events.claim_id(fn_id, "x", holder, NOW_MS) == holder

    events.release_id(fn_id, "x", other)
    assert events.claim_id(fn_id, "x", other, NOW_MS) == holder
    for _ in range(2):
        events.release_id(fn_id, "x", holder)
    assert events.claim_id(fn_id, "x", other, NOW_MS) == other


# names


def test_names_of_events_are_remembered(world: World) -> None:
    name = f"{world.name()}/{'ä' * 200}"
    world.room.events.note_name(name, NOW_MS)
    world.room.events.note_name(name, NOW_MS)
    world.again().events.note_name(name, NOW_MS)

    assert world.room.events.names().count(name) == 1


def test_many_are_read_at_once(world: World) -> None:
    small, large = build.record(build.event(world)), build.record(build.event(world, data={"text": build.LARGE}))
    for one in (small, large):
        world.room.events.put(one)
    ids = [large.event.internal_id, build.event(world).internal_id, small.event.internal_id]

    assert world.room.events.get_many(ids) == [large, small]
    assert world.room.events.get_many([]) == []
