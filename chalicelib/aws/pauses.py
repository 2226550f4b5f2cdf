"""The pauses table: index rows under the hash of event name, shape and values; and the shapes in use per name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from chalicelib.aws import keys
from chalicelib.aws.dynamo import ConditionFailed, Dynamo, Write
from chalicelib.aws.items import dump
from chalicelib.core import limits
from chalicelib.core.matching import Shape
from chalicelib.core.pauses import Pause
from chalicelib.core.steps import PauseKey

# A row stays for a while after its time, so that on_collect can fire what was missed.
_KEEP_MS = 7 * limits.DAY_MS
# A shape is renewed in coarse steps, so that most waits need not write it.
_SHAPE_STEP_MS = 30 * limits.DAY_MS
_KNOWN_SHAPES = 10_000


def pause_write(table: str, pause: Pause) -> Write:
    """Puts the row; part of the transaction that registers its wait or creates its run."""
    return Write(
        table,
        (pause.key.key, pause.key.row),
        item={
            "pause": dump(pause, exclude={"key"}),
            "expires_at": (pause.accept_until_ms + _KEEP_MS) // 1000,
        },
    )


class DynamoPauses:
    """Implements engine.ports.Pauses."""

    def __init__(self, dynamo: Dynamo, table: str) -> None:
        self._dynamo = dynamo
        self._table = table
        self._known: dict[tuple[str, tuple[str, ...]], int] = {}

    def note_shape(self, event_name: str, shape: tuple[str, ...], until_ms: int) -> None:
        if self._known.get((event_name, shape), 0) >= until_ms:
            return
        stored_until = (until_ms // _SHAPE_STEP_MS + 2) * _SHAPE_STEP_MS
        write = Write(
            self._table,
            (keys.shapes(event_name), Shape.of(shape).id),
            item={
                "shape": json.dumps(shape),
                "until": stored_until,
                "expires_at": (stored_until + _KEEP_MS) // 1000,
            },
            condition="attribute_not_exists(pk) OR #until < :until",
            values={"until": stored_until},
            names={"#until": "until"},
        )
        try:
            self._dynamo.put(write)
        except ConditionFailed:
            pass  # It is known for at least as long.
        if len(self._known) >= _KNOWN_SHAPES:
            self._known.clear()
        self._known[event_name, shape] = stored_until

    def shapes(self, event_name: str) -> list[tuple[str, ...]]:
        rows = self._dynamo.query(self._table, "pk = :pk", {"pk": keys.shapes(event_name)})
        return [tuple(json.loads(item["shape"])) for item in rows]

    def candidates(self, key: str) -> Iterator[Pause]:
        for item in self._dynamo.query(self._table, "pk = :pk", {"pk": key}):
            yield _read(item)

    def remove(self, rows: Sequence[PauseKey]) -> None:
        self._dynamo.delete_many(self._table, [(row.key, row.row) for row in rows])

    def scan(self, after: str | None, limit: int) -> tuple[list[Pause], str | None]:
        start = None if after is None else json.loads(after)
        items, following = self._dynamo.scan_page(self._table, start, limit)
        rows = [_read(item) for item in items if "pause" in item]
        return rows, None if following is None else json.dumps(following)


def _read(item: dict[str, object]) -> Pause:
    body = json.loads(str(item["pause"]))
    return Pause.model_validate({**body, "key": {"key": item["pk"], "row": item["sk"]}})
