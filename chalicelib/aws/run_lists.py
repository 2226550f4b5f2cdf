"""The runs table: its two indexes, which list runs and may be a moment behind; and which runs replay another one."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from chalicelib.aws import keys
from chalicelib.aws.dynamo import Dynamo, Write


class DynamoRunLists:
    """The part of engine.ports.Runs that lists."""

    _dynamo: Dynamo
    _table: str
    _stamp: Callable[[], int]

    def open_page(self, shard: int, after: str | None, limit: int) -> tuple[list[str], str | None]:
        rows = self._dynamo.query(
            self._table,
            "open_pk = :pk AND open_sk > :after",
            {"pk": keys.open_runs(shard), "after": after or " "},
            index="open",
            page_size=limit,
        )
        found = []
        for item in rows:
            found.append(str(item["open_sk"]))
            if len(found) == limit:
                return found, found[-1]
        return found, None

    def page(self, fn_id: str, *, before: str, limit: int) -> list[str]:
        found: list[str] = []
        for shard in range(keys.LIST_SHARDS):
            rows = self._dynamo.query(
                self._table,
                "list_pk = :pk AND list_sk < :before",
                {"pk": keys.run_list(fn_id, shard), "before": before},
                index="by_function",
                forward=False,
                page_size=limit,
            )
            for count, item in enumerate(rows, start=1):
                found.append(str(item["list_sk"]))
                if count == limit:
                    break
        return sorted(found, reverse=True)[:limit]

    def put_replay(self, original_run_id: str, run_id: str) -> None:
        row = (keys.replays_of(original_run_id), run_id)
        self._dynamo.put(Write(self._table, row, item={"expires_at": self._stamp()}))

    def replays(self, original_run_id: str, limit: int) -> list[str]:
        values = {"pk": keys.replays_of(original_run_id)}
        rows = self._dynamo.query(self._table, "pk = :pk", values, forward=False, page_size=limit)
        return [str(item["sk"]) for item in itertools.islice(rows, limit)]
