"""The pauses table: index rows under the hash of event name, shape and values; and the shapes in use per name."""

from __future__ import annotations

import json
from collections.abc import Sequence

from chalicelib.aws import keys
from chalicelib.aws.dynamo import ConditionFailed, Dynamo, Write
from chalicelib.aws.items import dump, left_out, reading
from chalicelib.core import limits
from chalicelib.core.errors import Unreadable
from chalicelib.core.matching import Shape
from chalicelib.core.pauses import Pause
from chalicelib.core.steps import PauseKey
from chalicelib.engine.index import PausePage, Place
from chalicelib.engine.side_by_side import side_by_side

# A row stays for a while after its time, so that on_collect can fire what was missed.
_KEEP_MS = 7 * limits.DAY_MS
# A shape is renewed in coarse steps, so that most waits need not write it.
_SHAPE_STEP_MS = 30 * limits.DAY_MS
_KNOWN_SHAPES = 10_000
_LATELY_MS = limits.MINUTE_MS
_KNOWN_NAMES = 1_000


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
    """Implements engine.index.Pauses."""

    def __init__(self, dynamo: Dynamo, table: str, threads: int = 1) -> None:
        self._dynamo = dynamo
        self._table = table
        self._threads = threads
        self._known: dict[tuple[str, tuple[str, ...]], int] = {}
        self._lately: dict[str, tuple[int, list[tuple[str, ...]]]] = {}

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
        if (lately := self._lately.get(event_name)) and shape not in lately[1]:
            lately[1].append(shape)

    def shapes(self, event_name: str) -> list[tuple[str, ...]]:
        rows = self._dynamo.query(self._table, "pk = :pk", {"pk": keys.shapes(event_name)})
        return [tuple(json.loads(item["shape"])) for item in rows]

    def shapes_lately(self, event_name: str, now_ms: int) -> list[tuple[str, ...]]:
        known = self._lately.get(event_name)
        if known is None or not known[0] <= now_ms < known[0] + _LATELY_MS:
            if len(self._lately) >= _KNOWN_NAMES:
                self._lately.clear()
            known = self._lately[event_name] = (now_ms, self.shapes(event_name))
        return known[1]

    def pages(self, places: Sequence[Place], limit: int) -> list[PausePage]:
        return side_by_side(lambda place: self._page(place, limit), places, self._threads)

    def _page(self, place: Place, limit: int) -> PausePage:
        condition = "pk = :pk AND sk > :after" if place.after else "pk = :pk"
        values = {"pk": place.key, "after": place.after or None}
        items, following = self._dynamo.page(self._table, condition, values, limit)
        rows, unreadable = [], None
        for item in items:
            try:
                rows.append(read_pause(item))
            except Unreadable as error:
                unreadable = error
        return PausePage(tuple(rows), following, unreadable)

    def remove(self, rows: Sequence[PauseKey]) -> None:
        self._dynamo.delete_many(self._table, [(row.key, row.row) for row in rows])

    def scan(self, after: str | None, limit: int) -> tuple[list[Pause], str | None]:
        start = None if after is None else json.loads(after)
        scanned = self._dynamo.scan_page(self._table, start, limit)
        rows = [pause for item in scanned.items if "pause" in item and (pause := _known(item)) is not None]
        return rows, None if scanned.following is None else json.dumps(scanned.following)


def read_pause(item: dict[str, object]) -> Pause:
    """Raises Unreadable."""
    with reading(f"the row {item['sk']} of the index"):
        body = json.loads(str(item["pause"]))
        return Pause.model_validate({**body, "key": {"key": item["pk"], "row": item["sk"]}})


def _known(item: dict[str, object]) -> Pause | None:
    try:
        return read_pause(item)
    except Unreadable as error:
        # It stays where it is, and keeps none of the others from being looked at.
        left_out(error)
        return None
