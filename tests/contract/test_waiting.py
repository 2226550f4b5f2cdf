"""engine.index.Pauses and engine.ports.Timers."""

from __future__ import annotations

import json

import pytest

from chalicelib.aws import keys
from chalicelib.core import limits, timers
from chalicelib.core.matching import Shape, behind
from chalicelib.core.messages import PlannedStepMessage, TurnMessage
from chalicelib.core.pauses import Pause, PauseKind
from chalicelib.core.steps import PauseKey, TimerKey
from chalicelib.engine.index import Place
from chalicelib.engine.ports import Timer
from tests.contract import build
from tests.contract.build import LATER_MS, OTHER_STEP, STEP
from tests.contract.conftest import NOW_MS, World

DAY_MS = limits.DAY_MS


def register(world: World, *pauses: Pause) -> None:
    world.room.runs.create(build.seed(world), build.event(world), pauses)


# pauses


def test_the_pages_of_several_keys_come_in_their_order_each_to_its_limit(world: World) -> None:
    run_id = world.new()
    rows = [
        build.pause(world, run_id, key=PauseKey(key=f"index-{run_id}-{number % 3}", row=f"{run_id}#{STEP}#{number}"))
        for number in range(7)
    ]
    register(world, *rows)
    places = [Place(f"index-{run_id}-{number}") for number in (2, 0, 1, 9)]

    for room in (world.room, world.again(threads=4)):
        pages = room.pauses.pages(places, 2)
        assert [page.rows for page in pages] == [tuple(rows[2::3]), tuple(rows[0:6:3]), tuple(rows[1::3]), ()]
        assert [page.following for page in pages] == [None, rows[3].key.row, None, None]
        (rest,) = room.pauses.pages([Place(places[1].key, rows[3].key.row)], 2)
        assert (rest.rows, rest.following) == ((rows[6],), None)


def test_a_page_begins_behind_any_place_whether_a_row_is_there_or_not(world: World) -> None:
    key, run_id = f"index-{world.new()}", world.new()
    groups = ("a" * 20, "b" * 20)
    rows = [build.pause(world, run_id, key=PauseKey(key=key, row=f"{group}#{run_id}#{STEP}#0")) for group in groups]
    register(world, *rows)

    (page,) = world.room.pauses.pages([Place(key, behind(groups[0]))], 10)

    assert list(page.rows) == rows[1:]


def test_the_pages_of_a_key_are_all_its_rows_and_no_others(world: World) -> None:
    key = f"index-{world.new()}"
    run_id = world.new()
    rows = [
        build.pause(world, run_id, key=PauseKey(key=key, row=f"{run_id}#{STEP}#{number}"), if_exp="x" * 4_000)
        for number in range(300)
    ]
    for start in range(0, len(rows), 60):
        register(world, *rows[start : start + 60])
    register(world, build.pause(world, run_id))

    in_order = sorted(rows, key=lambda pause: pause.key.row)
    assert [build.rows(world, key, page) for page in (7, 100, 1_000)] == [in_order] * 3
    assert build.rows(world, f"{key}-other") == []


def test_every_field_of_a_pause_comes_back(world: World) -> None:
    pause = build.pause(
        world,
        world.new(),
        kind=PauseKind.CANCEL,
        step_id=None,
        if_exp="async.data.id == 'ä'",
        condition={"op": "eq", "values": [1, 1.5, None, "x"]},
        shape=("data.id", "data.`odd`"),
    )
    register(world, pause)
    assert build.rows(world, pause.key.key) == [pause]


def test_pauses_are_removed_and_removing_what_is_gone_is_no_error(world: World) -> None:
    rows = [build.pause(world, world.new()) for _ in range(30)]
    register(world, *rows)

    for _ in range(2):
        world.room.pauses.remove([row.key for row in rows[:28]] * 2)
    world.room.pauses.remove([])

    assert [len(build.rows(world, row.key.key)) for row in rows] == [0] * 28 + [1, 1]


def test_a_scan_passes_every_row_and_skips_shapes(world: World) -> None:
    rows = [build.pause(world, world.new()) for _ in range(20)]
    register(world, *rows)
    world.room.pauses.note_shape(world.name(), ("data.id",), LATER_MS)

    found: list[Pause] = []
    after: str | None = None
    while True:
        page, after = world.room.pauses.scan(after, 7)
        assert len(page) <= 7
        found += page
        if after is None:
            break

    assert [pause for pause in found if pause in rows].__len__() == len(rows)
    assert len({(pause.key.key, pause.key.row) for pause in found}) == len(found)


# shapes


def test_shapes_are_known_per_event_name(world: World) -> None:
    name, shapes = world.name(), [(), ("data.id",), ("data.a", "data.b")]
    for shape in [*shapes, *shapes]:
        world.room.pauses.note_shape(name, shape, LATER_MS)

    assert sorted(world.room.pauses.shapes(name)) == sorted(shapes)
    assert world.room.pauses.shapes(world.name()) == []


def test_a_shape_is_renewed_in_coarse_steps_and_never_shortened(world: World) -> None:
    name, shape = world.name(), ("data.id",)

    def until_after(ask_ms: int) -> int:
        world.again().pauses.note_shape(name, shape, ask_ms)
        item = world.item(world.config.table_pauses, keys.shapes(name), Shape.of(shape).id)
        assert item is not None
        assert int(item["until"]) >= ask_ms
        assert int(item["expires_at"]) * 1000 > int(item["until"])
        return int(item["until"])

    first = until_after(NOW_MS)
    assert until_after(NOW_MS + DAY_MS) - first in (0, 30 * DAY_MS)
    far = until_after(NOW_MS + 366 * DAY_MS)
    assert far > first
    assert until_after(NOW_MS) == far


def test_a_known_shape_is_not_written_again(world: World) -> None:
    name, shape, room = world.name(), ("data.id",), world.again()
    room.pauses.note_shape(name, shape, NOW_MS)
    delete_shape(world, name, shape)

    room.pauses.note_shape(name, shape, NOW_MS + 1_000)
    assert room.pauses.shapes(name) == []
    room.pauses.note_shape(name, shape, NOW_MS + 400 * DAY_MS)
    assert room.pauses.shapes(name) == [shape]


def delete_shape(world: World, name: str, shape: tuple[str, ...]) -> None:
    world.room.pauses.remove([PauseKey(key=keys.shapes(name), row=Shape.of(shape).id)])


def test_shapes_lately_are_read_once_a_minute_and_know_what_this_process_makes(world: World) -> None:
    name, room = world.name(), world.again()
    assert room.pauses.shapes_lately(name, NOW_MS) == []

    world.room.pauses.note_shape(name, ("data.other",), LATER_MS)
    room.pauses.note_shape(name, ("data.own",), LATER_MS)

    assert room.pauses.shapes_lately(name, NOW_MS + 59_999) == [("data.own",)]
    assert sorted(room.pauses.shapes_lately(name, NOW_MS + 60_000)) == [("data.other",), ("data.own",)]


# timers


def far_future(world: World) -> int:
    """A bucket that no other test uses; timers may lie as far ahead as they like."""
    return (NOW_MS // timers.BUCKET_MS) * timers.BUCKET_MS + int.from_bytes(world.new()[-4:].encode()) * 3_600_000


def bucket_of(world: World, due_ms: int, before_ms: int, limit: int = 100) -> list[Timer]:
    found = []
    for shard in range(timers.SHARDS):
        found += world.room.timers.in_bucket(timers.bucket_of(due_ms), shard, before_ms, limit)
    return sorted(found, key=lambda timer: (timer.key.due_ms, timer.key.name))


def test_timers_of_a_bucket_come_when_they_are_due(world: World) -> None:
    start = far_future(world)
    messages = [TurnMessage(run_id=world.new(), due_ms=start + number * 1_000) for number in range(12)]
    timers_put = [Timer(world.room.timers.put(m.due_ms or 0, m), m.model_dump_json()) for m in messages]
    expected = sorted(timers_put, key=lambda timer: (timer.key.due_ms, timer.key.name))

    assert bucket_of(world, start, start + 5_000) == expected[:5]
    assert bucket_of(world, start, start + timers.BUCKET_MS) == expected
    assert bucket_of(world, start, start) == []
    assert bucket_of(world, start + timers.BUCKET_MS, start + 2 * timers.BUCKET_MS) == []


def test_a_limit_gives_the_earliest_timers_of_a_shard(world: World) -> None:
    start = far_future(world)
    messages = [TurnMessage(run_id=world.new(), due_ms=start + 500 - number) for number in range(20)]
    for message in messages:
        world.room.timers.put(message.due_ms or 0, message)

    for shard in range(timers.SHARDS):
        everything = world.room.timers.in_bucket(timers.bucket_of(start), shard, start + 1_000, 100)
        assert world.room.timers.in_bucket(timers.bucket_of(start), shard, start + 1_000, 2) == everything[:2]
        assert everything == sorted(everything, key=lambda timer: timer.key.due_ms)


def test_putting_a_timer_again_changes_nothing(world: World) -> None:
    start = far_future(world)
    run_id = world.new()
    messages: list[TurnMessage | PlannedStepMessage] = [
        TurnMessage(run_id=run_id, due_ms=start),
        TurnMessage(run_id=run_id, due_ms=start, step_id=OTHER_STEP),
        TurnMessage(run_id=run_id, due_ms=start, step_id=STEP),
        PlannedStepMessage(run_id=run_id, step_id=STEP, attempt=1, due_ms=start),
        PlannedStepMessage(run_id=run_id, step_id=STEP, attempt=2, due_ms=start),
    ]
    for message in [*messages, *messages]:
        assert world.room.timers.put(start, message).due_ms == start

    found = bucket_of(world, start, start + 1)
    assert sorted(timer.body for timer in found) == sorted(message.model_dump_json() for message in messages)


def test_timers_are_removed_and_removing_what_is_gone_is_no_error(world: World) -> None:
    start = far_future(world)
    kept, gone = (world.room.timers.put(start, TurnMessage(run_id=world.new(), due_ms=start)) for _ in range(2))

    for _ in range(2):
        world.room.timers.remove([gone, TimerKey(due_ms=start, name="never")])

    assert [timer.key for timer in bucket_of(world, start, start + 1)] == [kept]


@pytest.mark.parametrize("value", ["", "123", json.dumps({"pk": "a"})])
def test_a_mark_is_kept_as_it_was_set_last(world: World, value: str) -> None:
    name = f"mark-{world.new()}"
    assert world.room.timers.get_mark(name) is None
    world.room.timers.set_mark(name, "before")
    world.room.timers.set_mark(name, value)
    assert world.again().timers.get_mark(name) == value
