"""engine.line_ports.Lines: a place is one's for as long as its time, lines are in order, and under real threads nobody
is above the limit."""

from __future__ import annotations

import secrets
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import cast

import pytest

from chalicelib.core.concurrency import Claim, LimitKey, Slot, Waiter
from chalicelib.core.messages import TurnMessage
from chalicelib.engine import concurrency
from chalicelib.engine.line_ports import LINE_SHARDS, Line
from chalicelib.engine.services import Services
from tests.contract.conftest import NOW_MS, STAMP_S, World

LATER_MS = NOW_MS + 60_000


def key(fn_id: str | None = None) -> LimitKey:
    """One that no other test uses."""
    return LimitKey(fn_id=f"fn-{uuid.uuid4().hex}" if fn_id is None else fn_id, digest=uuid.uuid4().hex)


def slot(holder: str, index: int = 0, nonce: str = "n1", until_ms: int = LATER_MS) -> Slot:
    return Slot(index, holder, nonce, until_ms)


def waiter(run_id: str, order_us: int = 5, step_id: str | None = None, **fields: object) -> Waiter:
    made = Waiter(
        run_id=run_id,
        step_id=step_id,
        order_us=order_us,
        generation="g1",
        fn_id="fn",
        nth=0,
        limit=1,
        shown='"u1"',
        since_ms=NOW_MS,
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def test_a_place_is_taken_once(world: World) -> None:
    lines, place = world.room.lines, key()

    assert lines.take(place, slot("run-1"), NOW_MS)
    assert not lines.take(place, slot("run-2"), NOW_MS)
    assert lines.slots(place) == [slot("run-1")]


def test_whoever_holds_it_takes_it_again_and_others_when_its_time_ran_out(world: World) -> None:
    lines, place = world.room.lines, key()
    lines.take(place, slot("run-1"), NOW_MS)

    assert lines.take(place, slot("run-1", nonce="n2"), NOW_MS)
    assert not lines.take(place, slot("run-2"), LATER_MS)
    assert lines.take(place, slot("run-2"), LATER_MS + 1)


def test_only_a_place_that_is_there_is_taken_over(world: World) -> None:
    lines, place = world.room.lines, key()

    assert not lines.take_over(place, slot("run-1"))
    lines.take(place, slot("run-1"), NOW_MS)
    assert not lines.take_over(place, slot("run-2"))
    assert lines.take_over(place, slot("run-1", nonce="n2"))
    assert lines.slots(place) == [slot("run-1", nonce="n2")]


def test_a_place_is_given_back_by_the_delivery_that_took_it(world: World) -> None:
    lines, place = world.room.lines, key()
    lines.take(place, slot("run-1", nonce="n2"), NOW_MS)

    lines.give_back(place, slot("run-1"))
    assert lines.slots(place) == [slot("run-1", nonce="n2")]
    for _ in range(2):
        lines.give_back(place, slot("run-1", nonce="n2"))
        assert lines.slots(place) == []


def test_a_line_is_in_order_and_can_be_read_up_to_and_from_anybody(world: World) -> None:
    lines, line = world.room.lines, key()
    rows = [waiter("run-2", 7), waiter("run-1", 5, "a#step"), waiter("run-1", 5), waiter("run-3", 6)]
    for row in rows:
        lines.stand(line, row)
    in_order = [rows[2], rows[1], rows[3], rows[0]]

    assert lines.waiters(line, limit=10) == in_order
    assert lines.waiters(line, limit=2) == in_order[:2]
    assert lines.waiters(line, limit=10, upto=rows[3].place_in_line) == in_order[:3]
    assert lines.page(line, after=rows[1].place_in_line, limit=1) == [rows[3]]
    assert lines.slots(line) == []


def test_who_takes_a_stand_anew_is_not_woken_and_has_waited_since_then(world: World) -> None:
    lines, line = world.room.lines, key()
    lines.stand(line, waiter("run-1"))
    assert lines.mark_woken(line, waiter("run-1"), NOW_MS, "me")
    assert [row.woken_at_ms for row in lines.waiters(line, limit=1)] == [NOW_MS]

    again = waiter("run-1", generation="g2", since_ms=LATER_MS, attempt=1)
    lines.stand(line, again)
    assert lines.waiters(line, limit=1) == [replace(again, since_ms=NOW_MS)]


def test_of_many_who_wake_a_waiter_one_does(world: World) -> None:
    lines, line = world.room.lines, key()
    lines.stand(line, waiter("run-1"))
    assert [lines.mark_woken(line, waiter("run-1"), NOW_MS + n, f"w{n}") for n in range(3)] == [True, False, False]

    woken = waiter("run-1", woken_at_ms=NOW_MS)
    assert [lines.mark_woken(line, woken, LATER_MS, by) for by in ("w3", "w4")] == [True, False]


def test_who_wakes_knows_its_own_note_again(world: World) -> None:
    """The answer was lost, and botocore has asked once more."""
    lines, line = world.room.lines, key()
    lines.stand(line, waiter("run-1"))
    assert [lines.mark_woken(line, waiter("run-1"), NOW_MS, by) for by in ("me", "me", "another")] == [
        True,
        True,
        False,
    ]


def test_what_was_read_before_is_not_marked(world: World) -> None:
    lines, line = world.room.lines, key()
    lines.stand(line, waiter("run-1", generation="g2"))

    assert not lines.mark_woken(line, waiter("run-1"), NOW_MS, "me")
    assert not lines.mark_woken(line, waiter("run-2"), NOW_MS, "me")
    assert [row.woken_at_ms for row in lines.waiters(line, limit=2)] == [0]


def test_a_later_attempt_keeps_its_stand(world: World) -> None:
    lines, line = world.room.lines, key()
    row = waiter("run-1", 5, "step", attempt=1)
    lines.stand(line, row)

    lines.leave(line, row.place_in_line, 0)
    assert lines.waiters(line, limit=1) == [row]
    for attempt in (1, None):
        lines.leave(line, row.place_in_line, attempt)
        assert lines.waiters(line, limit=1) == []


def test_a_line_is_known_until_it_is_forgotten(world: World) -> None:
    lines, line = world.room.lines, key()
    lines.stand(line, waiter("run-1"))
    lines.stand(line, waiter("run-2", generation="g2"))

    assert lines.lines_of(line.fn_id) == [line]
    lines.forget(Line(line, "g1"))
    assert lines.lines_of(line.fn_id) == [line]
    lines.forget(Line(line, "g2"))
    assert lines.lines_of(line.fn_id) == []


def test_lines_are_read_in_pages(world: World) -> None:
    lines, made = world.room.lines, [key() for _ in range(12)]
    for one in made:
        lines.stand(one, waiter("run-1"))
    found = []
    for shard in range(LINE_SHARDS):
        after = None
        while page := lines.lines(shard, after=after, limit=2):
            found += [line.key for line in page]
            after = page[-1].key
    assert set(made) <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("fn_id", ["a#b", "ü" * 256, ""])
def test_whatever_a_function_is_called(world: World, fn_id: str) -> None:
    lines, line = world.room.lines, key(fn_id)
    lines.stand(line, waiter("run-1", fn_id=fn_id))

    assert line in lines.lines_of(fn_id)
    assert [row.fn_id for row in lines.waiters(line, limit=1)] == [fn_id]


def test_everything_expires_by_itself(world: World) -> None:
    place = key()
    world.room.lines.take(place, slot("run-1"), NOW_MS)
    world.room.lines.stand(place, waiter("run-1"))

    items = world.client("dynamodb").query(
        TableName=world.config.table_limits,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"place#{place.digest}#{place.fn_id}"}},
    )["Items"]
    assert [int(item["expires_at"]["N"]) for item in items] == [LATER_MS // 1000 + 86_400, STAMP_S]


class _Side:
    """The services that places need, on ministack; what is sent goes to whoever is to be woken."""

    def __init__(self, world: World, wake: dict[str, threading.Event]) -> None:
        self.lines, self.queues, self.clock, self.metrics, self.catalog, self.chance = world.again().lines, *[self] * 5
        self._wake = wake

    def send_work(self, message: TurnMessage) -> None:
        self._wake[message.run_id].set()

    def now_ms(self) -> int:
        return int(time.time() * 1000)

    def count(self, *_: object) -> None:
        """Nothing is asserted of it."""

    def entropy(self) -> bytes:
        return secrets.token_bytes(10)

    def get(self, _fn_id: str) -> None:
        """The limit is the one in the waiter's row."""
        return

    def pause_of(self, _fn_id: str, *, anew: bool = False) -> None:
        """Nothing is paused."""


@pytest.mark.parametrize(("limit", "runs"), [(1, 8), (3, 16)])
def test_never_above_the_limit_and_nobody_is_forgotten(ministack: World, limit: int, runs: int) -> None:
    """Real threads, one for each run, each of which waits for nothing but its wake-up. Nothing sweeps."""
    place = key()
    names = [ministack.new() for _ in range(runs)]
    wake = {name: threading.Event() for name in names}
    lock, now_in, most, done = threading.Lock(), [0], [0], list[str]()

    def go(number: int) -> None:
        side = cast(Services, _Side(ministack, wake))
        name = names[number]
        standing = concurrency._Standing(name, None, place.fn_id, number, 0, 0)
        while True:
            until_ms = int(time.time() * 1000) + 600_000
            claim = Claim(place, limit, 0, "")
            places = concurrency.Places(side, (claim,), standing, uuid.uuid4().hex, until_ms, None)
            if places.enter(lambda: True):
                break
            # A wake-up that is lost is seen here.
            assert wake[name].wait(60), f"nobody woke number {number}"
            wake[name].clear()
        with lock:
            now_in[0] += 1
            most[0] = max(most[0], now_in[0])
        time.sleep(0.005)
        with lock:
            now_in[0] -= 1
            done.append(name)
        places.give_back()

    with ThreadPoolExecutor(runs) as pool:
        list(pool.map(go, range(runs)))

    assert most[0] <= limit
    assert sorted(done) == sorted(names)
    assert ministack.room.lines.slots(place) == []
    assert ministack.room.lines.waiters(place, limit=100) == []
