"""The timers table: far timers in buckets of time, and the marks of the scheduled functions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from chalicelib.aws import keys
from chalicelib.aws.dynamo import Dynamo, Write
from chalicelib.core import limits
from chalicelib.core.messages import AnyWorkMessage, JoinDueMessage, PlannedStepMessage
from chalicelib.core.steps import TimerKey
from chalicelib.core.timeouts import timer_name
from chalicelib.engine.ports import Timer

# A timer that no tick took is found by on_collect through its run; its item may stay this long.
_KEEP_MS = 60 * limits.DAY_MS


class DynamoTimers:
    """Implements engine.ports.Timers."""

    def __init__(self, dynamo: Dynamo, table: str) -> None:
        self._dynamo = dynamo
        self._table = table

    def put(self, due_ms: int, message: AnyWorkMessage) -> TimerKey:
        key = TimerKey(due_ms=due_ms, name=_name(message))
        self._dynamo.put(
            Write(
                self._table,
                (keys.timer_partition(key), keys.timer_row(key)),
                item={"message": message.model_dump_json(), "expires_at": (due_ms + _KEEP_MS) // 1000},
            )
        )
        return key

    def in_bucket(self, bucket: int, shard: int, due_before_ms: int, limit: int) -> list[Timer]:
        rows = self._dynamo.query(
            self._table,
            "pk = :pk AND sk < :before",
            {"pk": keys.timer_bucket(bucket, shard), "before": keys.timers_before(due_before_ms)},
            page_size=limit,
        )
        found = []
        for item in itertools.islice(rows, limit):
            due, _, name = str(item["sk"]).partition("#")
            found.append(Timer(TimerKey(due_ms=int(due), name=name), str(item["message"])))
        return found

    def remove(self, timers: Sequence[TimerKey]) -> None:
        self._dynamo.delete_many(self._table, [(keys.timer_partition(key), keys.timer_row(key)) for key in timers])

    def get_mark(self, name: str) -> str | None:
        item = self._dynamo.get(self._table, keys.MARKS, name)
        return None if item is None else str(item["mark"])

    def set_mark(self, name: str, value: str) -> None:
        self._dynamo.put(Write(self._table, (keys.MARKS, name), item={"mark": value}))


def _name(message: AnyWorkMessage) -> str:
    if isinstance(message, JoinDueMessage):
        return f"{message.run_id}#{message.kind}"
    # Each step's timer is its own, also when two steps are due in the same millisecond: one of them may end first.
    name = message.run_id if message.step_id is None else f"{message.run_id}#{message.step_id}"
    if isinstance(message, PlannedStepMessage):
        return f"{name}#{message.attempt}"
    return name if message.timeout is None else timer_name(message.run_id, message.timeout)
