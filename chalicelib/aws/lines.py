"""The limits table: places under a limit, and the line before them (one partition for each key of a limit); and which
lines there are, so that one whose wake-up never came is found (engine.lines.sweep)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from chalicelib.aws import keys
from chalicelib.aws.dynamo import ConditionFailed, Dynamo, Write
from chalicelib.aws.marshalling import Item
from chalicelib.core import limits
from chalicelib.core.concurrency import LimitKey, Slot, Waiter
from chalicelib.engine.line_ports import LINE_SHARDS, Line

# A place whose time ran out so long ago is of no use to anybody who looks for what happened.
_KEEP_S = limits.DAY_MS // 1000


class DynamoLines:
    """Implements engine.line_ports.Lines. `stamp` tells until when a waiter is kept (seconds since the epoch)."""

    def __init__(self, dynamo: Dynamo, table: str, stamp: Callable[[], int]) -> None:
        self._dynamo = dynamo
        self._table = table
        self._stamp = stamp

    def _rows(self, key: LimitKey, between: tuple[str, str], page_size: int | None = None) -> Iterator[Item]:
        first, last = between
        values: Item = {"pk": keys.places(key), "first": first, "last": last}
        return self._dynamo.query(self._table, "pk = :pk AND sk BETWEEN :first AND :last", values, page_size=page_size)

    def slots(self, key: LimitKey) -> list[Slot]:
        return [_slot(item) for item in self._rows(key, keys.SLOTS)]

    def waiters(self, key: LimitKey, *, limit: int, upto: tuple[int, str] | None = None) -> list[Waiter]:
        first, last = keys.WAITERS
        rows = self._rows(key, (first, last if upto is None else keys.waiter(upto)), limit)
        return [_waiter(item) for item in itertools.islice(rows, limit)]

    def page(self, key: LimitKey, *, after: tuple[int, str] | None, limit: int) -> list[Waiter]:
        first, last = keys.WAITERS
        rows = self._rows(key, (first if after is None else keys.waiter(after) + keys.BEHIND, last), limit)
        return [_waiter(item) for item in itertools.islice(rows, limit)]

    def take(self, key: LimitKey, slot: Slot, now_ms: int) -> bool:
        return self._put(key, slot, "attribute_not_exists(pk) OR lu < :now OR who = :who", now=now_ms)

    def take_over(self, key: LimitKey, slot: Slot) -> bool:
        return self._put(key, slot, "who = :who")

    def _put(self, key: LimitKey, slot: Slot, condition: str, **values: object) -> bool:
        write = Write(
            self._table,
            (keys.places(key), keys.slot(slot.index)),
            item={
                "who": slot.holder,
                "ln": slot.nonce,
                "lu": slot.until_ms,
                "expires_at": slot.until_ms // 1000 + _KEEP_S,
            },
            condition=condition,
            values={"who": slot.holder, **values},
        )
        try:
            self._dynamo.put(write)
        except ConditionFailed:
            return False
        return True

    def give_back(self, key: LimitKey, slot: Slot) -> None:
        write = Write(
            self._table,
            (keys.places(key), keys.slot(slot.index)),
            condition="who = :who AND ln = :nonce",
            values={"who": slot.holder, "nonce": slot.nonce},
        )
        self._quietly(write)

    def stand(self, key: LimitKey, waiter: Waiter) -> None:
        stamp = self._stamp()
        self._dynamo.update(
            Write(
                self._table,
                (keys.places(key), keys.waiter(waiter.place_in_line)),
                update=(
                    "SET gen = :gen, fn = :fn, nth = :nth, lim = :lim, val = :val, att = :att, hop = :hop, "
                    "expires_at = :expires, since = if_not_exists(since, :since) REMOVE woken"
                ),
                values={
                    "gen": waiter.generation,
                    "fn": waiter.fn_id,
                    "nth": waiter.nth,
                    "lim": waiter.limit,
                    "val": waiter.shown,
                    "att": waiter.attempt,
                    "hop": waiter.hop,
                    "expires": stamp,
                    "since": waiter.since_ms,
                },
            )
        )
        # Behind the waiter, so that a sweep that did not see it does not forget the line.
        line = (keys.lines(keys.line_shard(key)), keys.line(key))
        item = {"fn": key.fn_id, "dig": key.digest, "gen": waiter.generation, "expires_at": stamp}
        self._dynamo.put(Write(self._table, line, item=item))

    def leave(self, key: LimitKey, place_in_line: tuple[int, str], attempt: int | None = None) -> None:
        write = Write(
            self._table,
            (keys.places(key), keys.waiter(place_in_line)),
            condition=None if attempt is None else "att <= :att",
            values={} if attempt is None else {"att": attempt},
        )
        self._quietly(write)

    def mark_woken(self, key: LimitKey, waiter: Waiter, now_ms: int, by: str) -> bool:
        write = Write(
            self._table,
            (keys.places(key), keys.waiter(waiter.place_in_line)),
            update="SET woken = :now, waker = :by",
            condition="gen = :gen AND (attribute_not_exists(woken) OR woken = :was)",
            values={"now": now_ms, "gen": waiter.generation, "was": waiter.woken_at_ms, "by": by},
        )
        try:
            self._dynamo.update(write)
        except ConditionFailed as lost:
            return lost.item is not None and lost.item.get("waker") == by
        return True

    def lines(self, shard: int, *, after: LimitKey | None, limit: int) -> list[Line]:
        values: Item = {"pk": keys.lines(shard), "after": "" if after is None else keys.line(after)}
        condition = "pk = :pk AND sk > :after"
        if after is None:
            condition = "pk = :pk"
            del values["after"]
        rows = self._dynamo.query(self._table, condition, values, page_size=limit)
        return [_line(item) for item in itertools.islice(rows, limit)]

    def lines_of(self, fn_id: str) -> list[LimitKey]:
        found = []
        for shard in range(LINE_SHARDS):
            values: Item = {"pk": keys.lines(shard), "begin": keys.lines_of(fn_id)}
            rows = self._dynamo.query(self._table, "pk = :pk AND begins_with(sk, :begin)", values)
            found += [_line(item).key for item in rows]
        return sorted((key for key in found if key.fn_id == fn_id), key=lambda key: key.rank)

    def forget(self, line: Line) -> None:
        write = Write(
            self._table,
            (keys.lines(keys.line_shard(line.key)), keys.line(line.key)),
            condition="gen = :gen",
            values={"gen": line.stamp},
        )
        self._quietly(write)

    def _quietly(self, write: Write) -> None:
        try:
            self._dynamo.delete(write)
        except ConditionFailed:
            pass  # It is gone, or another's.


def _slot(item: Item) -> Slot:
    return Slot(keys.slot_index(item["sk"]), item["who"], item["ln"], item["lu"])


def _waiter(item: Item) -> Waiter:
    order_us, run_id, step_id = keys.place_in_line(item["sk"])
    return Waiter(
        run_id=run_id,
        step_id=step_id,
        order_us=order_us,
        generation=item["gen"],
        fn_id=item["fn"],
        nth=item["nth"],
        limit=item["lim"],
        shown=item.get("val", ""),
        since_ms=item["since"],
        attempt=item.get("att", 0),
        hop=item.get("hop", 0),
        woken_at_ms=item.get("woken", 0),
    )


def _line(item: Item) -> Line:
    return Line(LimitKey(fn_id=item["fn"], digest=item["dig"]), item["gen"])
