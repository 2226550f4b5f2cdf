"""engine.ports.Runs, the half about heads: created once, leased by one, ended once, found by lists."""

from __future__ import annotations

import pytest

from chalicelib.aws import keys
from chalicelib.core import limits
from chalicelib.core.errors import LeaseLost
from chalicelib.core.runs import LeaseResult, RunHead, RunStatus
from chalicelib.engine.collect import OPEN_SHARDS
from tests.contract import build
from tests.contract.build import LATER_MS
from tests.contract.conftest import NOW_MS, STAMP_S, World

ME, MY_NEXT_DELIVERY, OTHER = build.owner(), build.owner(nonce="n2"), build.owner("m2", "n3")


def lease(world: World, run_id: str, who: object = ME, now_ms: int = NOW_MS) -> tuple[LeaseResult, RunHead | None]:
    assert isinstance(who, type(ME))
    return world.room.runs.take_lease(run_id, who, until_ms=now_ms + 60_000, now_ms=now_ms)


# create, load, heads


def test_a_new_run_is_stored_with_its_event_and_cancellations(world: World) -> None:
    seed = build.seed(world, warnings=("careful",), cron="* * * * *", invoker={"run_id": "r", "step_id": "s"})
    pause = build.pause(world, seed.run_id)
    event = build.event(world, seed.event_name, data={"n": 1.5, "deep": [{"ä": None}]})

    created = world.room.runs.create(seed, event, [pause])

    stored = world.room.runs.load(seed.run_id)
    assert stored is not None
    assert created == stored.head == RunHead(seed=seed, expires_at_s=STAMP_S)
    assert (stored.event, stored.steps) == (event, {})
    assert build.rows(world, pause.key.key) == [pause]


@pytest.mark.parametrize("with_pause", [False, True])
def test_creating_a_run_again_changes_nothing_and_tells_what_is_there(world: World, with_pause: bool) -> None:
    seed, event = build.seed(world), build.event(world)
    pauses = [build.pause(world, seed.run_id)] if with_pause else []
    world.room.runs.create(seed, event, pauses)
    lease(world, seed.run_id)

    later = seed.model_copy(update={"created_at_ms": NOW_MS + 1_000})
    stored = world.room.runs.create(later, build.event(world), pauses)

    assert stored.seed == seed
    assert stored.owner == ME
    run = world.room.runs.load(seed.run_id)
    assert run is not None
    assert run.event == event


def test_a_run_that_begins_late_is_leased_no_sooner_and_kept_for_longer(world: World) -> None:
    due_ms = NOW_MS + 200 * limits.DAY_MS
    seed = build.seed(world, not_before_ms=due_ms)

    created = world.room.runs.create(seed, build.event(world), ())

    assert created.expires_at_s == STAMP_S + 200 * 86_400
    assert build.head(world, seed.run_id) == created
    assert lease(world, seed.run_id, now_ms=due_ms - 1) == (LeaseResult.EARLY, created)
    assert build.head(world, seed.run_id).begun_at_ms is None
    assert lease(world, seed.run_id, now_ms=due_ms)[0] is LeaseResult.TAKEN
    # A clock that is behind meets what has begun.
    assert lease(world, seed.run_id, OTHER, now_ms=due_ms - 1)[0] is LeaseResult.OTHER
    assert lease(world, seed.run_id, now_ms=due_ms - 1)[0] is LeaseResult.TAKEN


def test_a_run_that_has_not_begun_in_time_is_not_leased(world: World) -> None:
    by_ms = NOW_MS + 1_000
    seed = build.seed(world, start_within_ms=1_000, finish_within_ms=5)
    created = world.room.runs.create(seed, build.event(world), ())

    assert lease(world, seed.run_id, now_ms=by_ms) == (LeaseResult.LATE, created)
    assert build.head(world, seed.run_id) == created
    assert lease(world, seed.run_id, now_ms=by_ms - 1)[0] is LeaseResult.TAKEN
    # One that began in time goes on.
    assert lease(world, seed.run_id, OTHER, now_ms=by_ms + 600_000)[0] is LeaseResult.TAKEN


def test_a_lease_alone_does_not_save_a_gated_run(world: World) -> None:
    by_ms = NOW_MS + 1_000
    seed = build.seed(world, start_within_ms=1_000)
    world.room.runs.create(seed, build.event(world), (), gated=True)
    lease(world, seed.run_id)
    world.room.runs.park(seed.run_id, ME, version=0, wake_at_ms=LATER_MS)

    result, head = lease(world, seed.run_id, now_ms=by_ms)

    assert (result, head) == (LeaseResult.LATE, build.head(world, seed.run_id))


def test_a_run_is_ended_only_if_it_has_not_begun(world: World) -> None:
    ending = build.ending(RunStatus.CANCELLED)
    for gated, is_leased, is_begun in ((False, False, False), (False, True, True), (True, True, False)):
        seed = build.seed(world)
        world.room.runs.create(seed, build.event(world), (), gated=gated)
        if is_leased:
            lease(world, seed.run_id)

        head = world.room.runs.end(seed.run_id, ending, owner=None, unbegun=True)

        assert head is not None
        assert (head.ending == ending) is not is_begun
        assert head == build.head(world, seed.run_id)
    assert world.room.runs.end(world.new(), ending, owner=None, unbegun=True) is None


def test_who_gives_a_lease_back_may_say_that_its_end_is_timed(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.release(run_id, ME, version=None, wake_at_ms=LATER_MS, is_timed=True)
    assert build.head(world, run_id).is_timed

    lease(world, run_id)
    world.room.runs.release(run_id, ME, version=None, wake_at_ms=LATER_MS)
    assert build.head(world, run_id).is_timed


def test_creating_goes_on_where_a_crash_left_only_the_event(world: World) -> None:
    seed, event = build.seed(world), build.event(world)
    world.room.runs.create(seed, event, ())
    world.client("dynamodb").delete_item(
        TableName=world.config.table_runs, Key={"pk": {"S": seed.run_id}, "sk": {"S": keys.HEAD}}
    )
    assert world.room.runs.load(seed.run_id) is None

    world.room.runs.create(seed, event, ())

    assert world.room.runs.load(seed.run_id) is not None


def test_what_is_not_there_is_none(world: World) -> None:
    missing = world.new()
    assert world.room.runs.load(missing) is None
    assert world.room.runs.head(missing) is None
    assert world.room.runs.heads([missing]) == []
    assert world.room.runs.heads([]) == []


def test_a_large_event_and_a_large_ending_are_read_back_whole(world: World) -> None:
    seed = build.seed(world)
    event = build.event(world, data={"text": build.LARGE})
    world.room.runs.create(seed, event, ())
    world.room.runs.end(seed.run_id, build.ending(output=build.LARGE), owner=None)

    stored = world.room.runs.load(seed.run_id)

    assert stored is not None
    assert stored.event == event
    assert stored.head.ending is not None
    assert stored.head.ending.output == build.LARGE
    item = world.item(world.config.table_runs, seed.run_id, keys.HEAD)
    assert item is not None
    assert "ending_at" in item
    assert "ending" not in item


def test_a_run_of_many_pages_is_loaded_whole(world: World) -> None:
    run_id = build.run(world)
    ids = [f"{number:040d}" for number in range(45)]
    for step_id in ids:
        world.room.runs.put_step(run_id, build.completed("x" * 30_000, step_id))

    run = world.room.runs.load(run_id)

    assert run is not None
    assert sorted(run.steps) == ids


def test_heads_come_in_the_order_asked_for_once_each_and_beyond_one_batch(world: World) -> None:
    wanted = [build.run(world) for _ in range(3)]
    order = [wanted[2], world.new(), wanted[0], wanted[2], *[world.new() for _ in range(120)], wanted[1]]

    found = world.room.runs.heads(order)

    assert [head.run_id for head in found] == [wanted[2], wanted[0], wanted[1]]


# take_lease


def test_taking_the_lease_marks_the_run_as_begun_and_tells_its_version(world: World) -> None:
    run_id = build.run(world)

    result, head = lease(world, run_id)

    assert (result, head) == (LeaseResult.TAKEN, build.head(world, run_id))
    assert head is not None
    assert (head.begun_at_ms, head.owner, head.lease_until_ms, head.starts) == (NOW_MS, ME, LATER_MS, 1)
    assert head.status is RunStatus.RUNNING


def test_my_own_nonce_is_my_success_whose_answer_was_lost(world: World) -> None:
    run_id = build.run(world, leased=ME)

    result, head = lease(world, run_id)

    assert result is LeaseResult.TAKEN
    assert head is not None
    assert head.starts == 1


def test_another_delivery_of_my_message_is_told_apart_from_another_message(world: World) -> None:
    run_id = build.run(world, leased=ME)

    assert lease(world, run_id, MY_NEXT_DELIVERY)[0] is LeaseResult.OWN_MESSAGE
    result, head = lease(world, run_id, OTHER)

    assert result is LeaseResult.OTHER
    assert head is not None
    assert (head.owner, head.lease_until_ms) == (ME, LATER_MS)


@pytest.mark.parametrize("who", [OTHER, MY_NEXT_DELIVERY])
def test_a_lease_is_live_until_its_last_millisecond(world: World, who: object) -> None:
    run_id = build.run(world, leased=ME)

    assert lease(world, run_id, who, now_ms=LATER_MS)[0] is not LeaseResult.TAKEN
    result, head = lease(world, run_id, who, now_ms=LATER_MS + 1)

    assert result is LeaseResult.TAKEN
    assert head is not None
    assert (head.owner, head.starts, head.begun_at_ms) == (who, 2, NOW_MS)


def test_the_lease_of_a_run_that_is_gone_or_has_ended_cannot_be_taken(world: World) -> None:
    run_id = build.run(world)
    world.room.runs.end(run_id, build.ending(), owner=None)

    assert lease(world, world.new()) == (LeaseResult.MISSING, None)
    assert lease(world, run_id) == (LeaseResult.ENDED, build.head(world, run_id))


def test_a_turn_takes_back_that_the_run_was_stalled(world: World) -> None:
    run_id = build.run(world)
    world.room.runs.mark_stalled(run_id, "its message died")
    assert build.head(world, run_id).stalled == "its message died"

    lease(world, run_id)

    assert build.head(world, run_id).stalled is None


def test_progress_is_marked_by_the_holder_alone(world: World) -> None:
    run_id = build.run(world, leased=ME)
    lease(world, run_id, OTHER, now_ms=LATER_MS + 1)

    with pytest.raises(LeaseLost):
        world.room.runs.mark_progress(run_id, ME, 7)
    world.room.runs.mark_progress(run_id, OTHER, 7)
    world.room.runs.mark_progress(run_id, OTHER, 7)

    head = build.head(world, run_id)
    assert (head.progress_mark, head.starts) == (7, 1)


# poke and release


def test_a_poke_reaches_a_live_lease_only(world: World) -> None:
    run_id = build.run(world)
    assert not world.room.runs.poke(run_id, NOW_MS)
    lease(world, run_id)

    assert world.room.runs.poke(run_id, NOW_MS + 3)
    assert world.room.runs.poke(run_id, LATER_MS)
    assert not world.room.runs.poke(run_id, LATER_MS + 1)

    head = build.head(world, run_id)
    assert (head.version, head.news_at_ms, head.owner) == (2, LATER_MS, ME)
    assert not world.room.runs.poke(world.new(), NOW_MS)


def test_news_of_a_clock_that_is_ahead_stand_and_every_poke_counts(world: World) -> None:
    run_id = build.run(world, leased=ME)

    for now_ms in (NOW_MS + 500, NOW_MS, NOW_MS + 500):
        assert world.room.runs.poke(run_id, now_ms)

    head = build.head(world, run_id)
    assert (head.version, head.news_at_ms) == (3, NOW_MS + 500)
    world.room.runs.release(run_id, ME, version=3, wake_at_ms=None)
    assert not world.room.runs.poke(run_id, NOW_MS)


def test_a_release_on_the_version_held_gives_the_lease_back(world: World) -> None:
    run_id = build.run(world, leased=ME)

    assert world.room.runs.release(run_id, ME, version=0, wake_at_ms=LATER_MS) is None
    # Again, since the answer was lost.
    assert world.room.runs.release(run_id, ME, version=0, wake_at_ms=LATER_MS) is None

    head = build.head(world, run_id)
    assert (head.owner, head.lease_until_ms, head.starts, head.wake_at_ms) == (None, 0, 0, LATER_MS)


def test_a_release_after_news_tells_the_new_version_and_keeps_the_lease(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.poke(run_id, NOW_MS + 3)

    head = world.room.runs.release(run_id, ME, version=0, wake_at_ms=None)

    assert head is not None
    assert (head.version, head.news_at_ms, head.owner) == (1, NOW_MS + 3, ME)
    assert world.room.runs.release(run_id, ME, version=1, wake_at_ms=None) is None


def test_a_release_without_a_version_is_given_back_in_spite_of_news(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.poke(run_id, NOW_MS)

    assert world.room.runs.release(run_id, ME, version=None, wake_at_ms=None) is None
    assert build.head(world, run_id).owner is None


def test_a_release_without_a_time_to_wake_forgets_the_earlier_one(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.release(run_id, ME, version=0, wake_at_ms=LATER_MS)
    lease(world, run_id)
    world.room.runs.release(run_id, ME, version=0, wake_at_ms=None)

    assert build.head(world, run_id).wake_at_ms is None


def test_a_release_of_a_lost_lease_is_refused(world: World) -> None:
    run_id = build.run(world, leased=ME)
    lease(world, run_id, MY_NEXT_DELIVERY, now_ms=LATER_MS + 1)

    with pytest.raises(LeaseLost):
        world.room.runs.release(run_id, ME, version=0, wake_at_ms=None)
    with pytest.raises(LeaseLost):
        world.room.runs.release(world.new(), ME, version=0, wake_at_ms=None)
    assert build.head(world, run_id).owner == MY_NEXT_DELIVERY


def test_a_release_of_a_run_that_was_ended_meanwhile_tells_its_end(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.end(run_id, build.ending(RunStatus.CANCELLED), owner=None)

    head = world.room.runs.release(run_id, ME, version=0, wake_at_ms=None)

    assert head is not None
    assert head.status is RunStatus.CANCELLED


# end, cancel_by, settled


def test_the_first_end_stays_and_whoever_comes_later_is_told_it(world: World) -> None:
    run_id = build.run(world, leased=ME)

    first = world.room.runs.end(run_id, build.ending(), owner=ME)
    again = world.room.runs.end(run_id, build.ending(), owner=ME)
    other = world.room.runs.end(run_id, build.ending(RunStatus.FAILED, error=build.ERROR), owner=None)

    assert first == again == other == build.head(world, run_id)
    assert first is not None
    assert (first.ending, first.owner, first.settled) == (build.ending(), None, False)


def test_a_turn_that_lost_its_lease_cannot_end_the_run(world: World) -> None:
    run_id = build.run(world, leased=ME)
    lease(world, run_id, OTHER, now_ms=LATER_MS + 1)

    with pytest.raises(LeaseLost):
        world.room.runs.end(run_id, build.ending(), owner=ME)

    assert build.head(world, run_id).ending is None
    assert world.room.runs.end(world.new(), build.ending(), owner=ME) is None
    assert world.room.runs.end(world.new(), build.ending(), owner=None) is None


def test_an_event_cancels_a_run_once_and_is_its_cause(world: World) -> None:
    run_id, event = build.run(world, leased=ME), build.event(world)
    end = build.ending(RunStatus.CANCELLED, cause=build.caused_by(event))

    first = world.room.runs.cancel_by(build.cancelled(event, run_id), end)
    again = world.room.runs.cancel_by(build.cancelled(event, run_id), end)

    assert first == again == build.head(world, run_id)
    assert first is not None
    assert (first.ending, first.owner) == (end, None)
    assert build.effects(world, event.internal_id) == [build.cancelled(event, run_id)]


def test_an_event_does_not_cancel_a_run_that_has_ended(world: World) -> None:
    run_id, event = build.run(world), build.event(world)
    world.room.runs.end(run_id, build.ending(), owner=None)

    head = world.room.runs.cancel_by(build.cancelled(event, run_id), build.ending(RunStatus.CANCELLED))

    assert head is not None
    assert head.status is RunStatus.COMPLETED
    assert build.effects(world, event.internal_id) == []
    assert world.room.runs.cancel_by(build.cancelled(event, world.new()), build.ending()) is None


def test_a_run_is_settled_once_and_open_no_more(world: World) -> None:
    run_id = build.run(world)
    world.room.runs.end(run_id, build.ending(), owner=None)
    assert run_id in open_runs(world, 50)

    assert world.room.runs.mark_settled(run_id, STAMP_S - 5)
    assert not world.room.runs.mark_settled(run_id, STAMP_S + 5)
    assert not world.room.runs.mark_settled(world.new(), STAMP_S)

    head = build.head(world, run_id)
    assert (head.settled, head.expires_at_s) == (True, STAMP_S - 5)
    assert run_id not in open_runs(world, 50)


def test_marks_never_bring_back_a_run_that_was_deleted(world: World) -> None:
    missing = world.new()
    world.room.runs.mark_stalled(missing, "gone")
    world.room.runs.mark_poked(missing, NOW_MS)
    world.room.runs.extend_expiry(missing, STAMP_S + 1)

    assert world.room.runs.head(missing) is None
    assert missing not in open_runs(world, 50)


def test_being_poked_is_remembered(world: World) -> None:
    run_id = build.run(world)
    world.room.runs.mark_poked(run_id, NOW_MS + 4)
    assert build.head(world, run_id).poked_at_ms == NOW_MS + 4


# expiry and lists


def test_the_expiry_of_every_item_is_extended_and_never_shortened(world: World) -> None:
    run_id = build.run(world, leased=ME)
    world.room.runs.put_step(run_id, build.completed())
    rows = (keys.HEAD, keys.EVENT, keys.step(build.STEP))

    for asked, expected in ((STAMP_S + 900, STAMP_S + 900), (STAMP_S + 100, STAMP_S + 900)):
        world.room.runs.extend_expiry(run_id, asked)
        stamps = [world.item(world.config.table_runs, run_id, row) for row in rows]
        assert [int(item["expires_at"]) for item in stamps if item is not None] == [expected] * 3

    head = build.head(world, run_id)
    assert (head.expires_at_s, head.owner) == (STAMP_S + 900, ME)


def open_runs(world: World, limit: int) -> list[str]:
    found: list[str] = []
    for shard in range(OPEN_SHARDS):
        after: str | None = None
        while True:
            page, after = world.room.runs.open_page(shard, after, limit)
            assert len(page) <= limit
            found += page
            if after is None:
                break
    return found


def test_every_open_run_is_found_once_whatever_the_page(world: World) -> None:
    made = {build.run(world) for _ in range(25)}

    for limit in (1, 4, 1_000):
        found = open_runs(world, limit)
        assert made <= set(found)
        assert len(found) == len(set(found))


def test_a_function_s_runs_are_listed_newest_first_across_shards_page_by_page(world: World) -> None:
    fn_id = f"fn-{world.new()}"
    made = [build.run(world, fn_id=fn_id, created_at_ms=NOW_MS + number // 2) for number in range(13)]
    assert len({keys.run_list_shard(run_id) for run_id in made}) == keys.LIST_SHARDS
    expected = sorted((keys.run_position(NOW_MS + n // 2, run_id) for n, run_id in enumerate(made)), reverse=True)

    assert world.room.runs.page(fn_id, before="9" * 15, limit=100) == expected
    for limit in (1, 5, 13):
        found: list[str] = []
        while page := world.room.runs.page(fn_id, before=found[-1] if found else "9" * 15, limit=limit):
            assert len(page) <= limit
            found += page
        assert found == expected
    assert world.room.runs.page(f"{fn_id}-none", before="9" * 15, limit=5) == []
    assert world.room.runs.page(fn_id, before=f"{NOW_MS:015d}", limit=5) == []


def test_a_run_that_was_only_leased_is_gated_when_it_is_parked(world: World) -> None:
    seed = build.seed(world)
    world.room.runs.create(seed, build.event(world), ())
    lease(world, seed.run_id)
    assert build.head(world, seed.run_id).begun_at_ms == NOW_MS

    assert world.room.runs.park(seed.run_id, ME, version=0, wake_at_ms=LATER_MS, gate=True) is None

    head = build.head(world, seed.run_id)
    assert (head.status, head.gated, head.starts, head.owner) == (RunStatus.QUEUED, True, 0, None)
    assert lease(world, seed.run_id, now_ms=NOW_MS + 5)[0] is LeaseResult.TAKEN
    begun = world.room.runs.begin(seed.run_id, ME, NOW_MS + 6)
    assert (begun.status, begun.begun_at_ms) == (RunStatus.RUNNING, NOW_MS + 6)
    # One that has begun stays so.
    assert world.room.runs.park(seed.run_id, ME, version=0, wake_at_ms=LATER_MS) is None
    assert build.head(world, seed.run_id).status is RunStatus.RUNNING
