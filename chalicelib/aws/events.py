"""The events table: an event's record and what it touched, in the partition of its name."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Sequence

from chalicelib.aws import keys
from chalicelib.aws.dynamo import ConditionFailed, Dynamo, Write
from chalicelib.aws.items import dump
from chalicelib.aws.marshalling import Item
from chalicelib.aws.payloads import Payloads
from chalicelib.core import ids, limits
from chalicelib.core.records import Effect, EffectKind, EventPage, EventRecord, EventTimes
from chalicelib.engine.index import Place

_MAX_NAMES = 1_000
_MAX_PAGE = 100
# Of each shard, where events are read one by one until one is found: little is read in vain.
_SHARD_PAGE = 25


def effect_write(table: str, effect: Effect, expires_at_s: int) -> Write:
    """The marker that lets an event touch a run, or each of its waits, once; part of the transaction in which it
    does."""
    sk = keys.effect(effect.event_id, effect.kind.value, effect.run_id, effect.step_id)
    return Write(
        table,
        (keys.event_partition(effect.event_id), sk),
        item={"effect": dump(effect), "step": effect.step_id, "expires_at": expires_at_s},
        condition="attribute_not_exists(pk)",
    )


class DynamoEvents:
    """Implements engine.ports.Events. `stamp` tells until when what is written now is kept (seconds)."""

    def __init__(self, dynamo: Dynamo, payloads: Payloads, table: str, stamp: Callable[[], int]) -> None:
        self._dynamo = dynamo
        self._payloads = payloads
        self._table = table
        self._stamp = stamp
        self._noted: set[tuple[str, int]] = set()

    def put(self, record: EventRecord) -> EventRecord:
        event = record.event
        partition = keys.event_partition(event.internal_id)
        position = _position(record)
        expires_at = self._stamp()
        if position != event.internal_id:
            # Its id was made at another time than it was accepted: a pointer stands where it belongs.
            self._dynamo.put(
                Write(self._table, (partition, position), item={"ref": event.internal_id, "expires_at": expires_at})
            )
        kept = record
        if record.from_run is not None:
            kept = record.model_copy(update={"event": event.model_copy(update={"data": {}})})
        item = {**self._payloads.fields("record", dump(kept)), "expires_at": expires_at}
        if position != event.internal_id:
            item["pointed"] = True
        try:
            self._dynamo.put(
                Write(self._table, (partition, event.internal_id), item=item, condition="attribute_not_exists(pk)")
            )
        except ConditionFailed as lost:
            return self._read(lost.item) if lost.item is not None else self.get(event.internal_id) or record
        return record

    def _read(self, item: Item) -> EventRecord:
        text = self._payloads.read(item, "record")
        assert text is not None
        return EventRecord.model_validate_json(text)

    def get(self, internal_id: str) -> EventRecord | None:
        item = self._dynamo.get(self._table, keys.event_partition(internal_id), internal_id)
        return None if item is None or "ref" in item else self._read(item)

    def get_many(self, internal_ids: Sequence[str]) -> list[EventRecord]:
        found = self._dynamo.get_many(self._table, [(keys.event_partition(each), each) for each in internal_ids])
        items = {item["sk"]: item for item in found if "ref" not in item}
        return [self._read(items[each]) for each in internal_ids if each in items]

    def effects(
        self, internal_id: str, kind: EffectKind, *, limit: int, after: str = ""
    ) -> tuple[list[Effect], str | None]:
        first, end = keys.effects(internal_id, kind)
        # Both ends belong to what lies between them, so it begins just behind the last one that was seen.
        begin = first + after + keys.BEHIND if after else first
        if begin >= end:
            return [], None  # DynamoDB refuses to look between ends the wrong way round.
        rows, following = self._dynamo.page(
            self._table,
            "pk = :pk AND sk BETWEEN :begin AND :end",
            {"pk": keys.event_partition(internal_id), "begin": begin, "end": end},
            limit,
        )
        effects = [Effect.model_validate_json(item["effect"]) for item in rows]
        return effects, None if following is None else following.removeprefix(first)

    def page_end(self, internal_id: str, start: Place) -> str | None:
        item = self._dynamo.get(self._table, *keys.match_page(internal_id, start))
        return None if item is None else str(item["end"])

    def put_page_end(self, internal_id: str, start: Place, end: str) -> None:
        write = Write(
            self._table,
            keys.match_page(internal_id, start),
            item={"end": end, "expires_at": self._stamp()},
            condition="attribute_not_exists(pk)",
        )
        try:
            self._dynamo.put(write)
        except ConditionFailed:
            pass  # Somebody else did the same.

    def put_times(self, internal_id: str, times: EventTimes) -> None:
        write = Write(
            self._table,
            (keys.event_partition(internal_id), keys.event_times(internal_id)),
            item={"times": dump(times), "expires_at": self._stamp()},
            condition="attribute_not_exists(pk)",
        )
        try:
            self._dynamo.put(write)
        except ConditionFailed:
            pass  # An earlier delivery has written it.

    def times(self, internal_id: str) -> EventTimes | None:
        item = self._dynamo.get(self._table, keys.event_partition(internal_id), keys.event_times(internal_id))
        return None if item is None else EventTimes.model_validate_json(item["times"])

    def claim_id(self, fn_id: str, user_id: str, run_id: str, now_ms: int) -> str:
        until_ms = now_ms + limits.EVENT_ID_WINDOW_MS
        write = Write(
            self._table,
            (keys.claim(fn_id, user_id), keys.CLAIM_ROW),
            item={"run": run_id, "until": until_ms, "expires_at": until_ms // 1000 + 1},
            # TTL deletes late, so the window is read from the record itself.
            condition="attribute_not_exists(pk) OR #until < :now OR #run = :run",
            values={"now": now_ms, "run": run_id},
            names={"#until": "until", "#run": "run"},
        )
        try:
            self._dynamo.put(write)
        except ConditionFailed as lost:
            return str(lost.item["run"]) if lost.item is not None else run_id
        return run_id

    def release_id(self, fn_id: str, user_id: str, run_id: str) -> None:
        write = Write(
            self._table,
            (keys.claim(fn_id, user_id), keys.CLAIM_ROW),
            condition="#run = :run",
            values={"run": run_id},
            names={"#run": "run"},
        )
        try:
            self._dynamo.delete(write)
        except ConditionFailed:
            pass  # It is gone, or another's.

    def note_name(self, name: str, now_ms: int) -> None:
        today = (name, now_ms // limits.DAY_MS)
        if today in self._noted:
            return
        self._dynamo.put(Write(self._table, (keys.NAMES, name), item={"expires_at": self._stamp()}))
        if len(self._noted) > _MAX_NAMES:
            self._noted.clear()
        self._noted.add(today)

    def names(self) -> list[str]:
        rows = self._dynamo.query(self._table, "pk = :pk", {"pk": keys.NAMES})
        return [item["sk"] for item in itertools.islice(rows, _MAX_NAMES)]

    def page(self, name: str, *, after: str, before: str, limit: int, newest_first: bool = True) -> EventPage:
        if after >= before:
            return EventPage(records=())  # DynamoDB refuses to look between ends the wrong way round.
        # One more than is asked for, to know whether there are more.
        page_size = min(limit + 1, _MAX_PAGE)
        records: list[EventRecord] = []
        position = None
        for item in self._merged(name, after, before, newest_first, page_size):
            if len(records) == limit:
                return EventPage(records=tuple(records), next_position=position)
            position = str(item["sk"])
            record = self._record_at(name, item)
            if record is not None:
                records.append(record)
        return EventPage(records=tuple(records))

    def between(self, name: str, *, after: str, before: str, newest_first: bool) -> Iterator[EventRecord]:
        if after >= before:
            return
        for item in self._merged(name, after, before, newest_first, _SHARD_PAGE):
            record = self._record_at(name, item)
            if record is not None:
                yield record

    def _merged(self, name: str, after: str, before: str, newest_first: bool, page_size: int) -> Iterator[Item]:
        return heapq.merge(
            *(self._rows(one, after, before, newest_first, page_size) for one in keys.event_partitions(name)),
            key=lambda item: str(item["sk"]),
            reverse=newest_first,
        )

    def _record_at(self, name: str, item: Item) -> EventRecord | None:
        record = self.get(str(item["ref"])) if "ref" in item else self._read(item)
        # The partition is that of a hash of the name, which others may share; and a send that was repeated has
        # left another pointer, to where the event would stand had it been accepted then.
        is_here = record is not None and record.event.name == name and str(item["sk"]) == _position(record)
        return record if is_here else None

    def _rows(self, partition: str, after: str, before: str, newest_first: bool, page_size: int) -> Iterator[Item]:
        low: str | None = after
        high: str | None = before
        while low is not None and high is not None:
            rows = self._dynamo.query(
                self._table,
                "pk = :pk AND sk BETWEEN :low AND :high",
                {"pk": partition, "low": low, "high": high},
                forward=not newest_first,
                page_size=page_size,
            )
            touched, reached = 0, None
            for item in rows:
                if ids.is_ulid(item["sk"]):
                    touched = 0
                    # One that is pointed to is found by its pointer.
                    if item["sk"] not in (after, before) and not item.get("pointed", False):
                        yield item
                    continue
                touched += 1
                if touched >= page_size:
                    reached = str(item["sk"])
                    break
            # An event may have touched a hundred thousand runs: the rest of their rows is jumped over.
            first, last = (None, None) if reached is None else keys.all_effects(reached)
            low, high = (low, first) if newest_first else (last, high)


def _position(record: EventRecord) -> str:
    return ids.event_position(record.event.internal_id, record.event.received_at_ms)
