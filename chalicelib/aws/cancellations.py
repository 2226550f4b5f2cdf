"""Bulk cancellations, in a partition of the runs table. There are few, and each is written by one message at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from chalicelib.aws import keys
from chalicelib.aws.dynamo import ConditionFailed, Dynamo, Write
from chalicelib.aws.items import STANDING, dump, read_standing
from chalicelib.aws.marshalling import Item
from chalicelib.core.cancellations import Cancellation, CancellationState, Place, Progress, Standing

_OVER = "over"


class DynamoCancellations:
    """Implements engine.operator_ports.Cancellations. `stamp` as in DynamoEvents."""

    def __init__(self, dynamo: Dynamo, table: str, stamp: Callable[[], int]) -> None:
        self._dynamo = dynamo
        self._table = table
        self._stamp = stamp

    def put(self, cancellation: Cancellation) -> CancellationState:
        first = Progress()
        item: Item = {
            "cancellation": dump(cancellation),
            "progress": dump(first),
            "place": _text(first.place),
            "expires_at": self._stamp(),
        }
        write = Write(self._table, keys.cancellation(cancellation.id), item=item, condition="attribute_not_exists(pk)")
        try:
            self._dynamo.put(write)
        except ConditionFailed as lost:
            return CancellationState(cancellation, first) if lost.item is None else _read(lost.item)
        return CancellationState(cancellation, first)

    def get(self, cancellation_id: str) -> CancellationState | None:
        item = self._dynamo.get(self._table, *keys.cancellation(cancellation_id))
        return None if item is None else _read(item)

    def page(self, *, before: str | None, limit: int) -> list[CancellationState]:
        values = {"pk": keys.CANCELLATIONS} | ({} if before is None else {"before": before})
        rows = self._dynamo.query(
            self._table,
            "pk = :pk" if before is None else "pk = :pk AND sk < :before",
            values,
            forward=False,
            page_size=limit,
        )
        return [_read(item) for item in itertools.islice(rows, limit)]

    def advance(self, cancellation_id: str, *, was: Place, now: Progress, nonce: str) -> bool:
        write = Write(
            self._table,
            keys.cancellation(cancellation_id),
            update="SET progress = :progress, place = :now, nonce = :nonce",
            condition="place = :was AND attribute_not_exists(stopped)",
            values={"progress": dump(now), "now": _text(now.place), "was": _text(was), "nonce": nonce},
        )
        try:
            self._dynamo.update(write)
        except ConditionFailed as lost:
            # Our own nonce: the first try succeeded and its answer was lost.
            return lost.item is not None and lost.item.get("nonce") == nonce and lost.item["place"] == _text(now.place)
        return True

    def standings(self, run_ids: Sequence[str]) -> list[Standing]:
        wanted = [(run_id, keys.HEAD) for run_id in run_ids]
        return [read_standing(item) for item in self._dynamo.get_many(self._table, wanted, only=STANDING)]

    def stop(self, cancellation_id: str, now_ms: int) -> CancellationState | None:
        write = Write(
            self._table,
            keys.cancellation(cancellation_id),
            update="SET stopped = :now",
            condition="attribute_exists(pk) AND attribute_not_exists(stopped) AND place <> :over",
            values={"now": now_ms, "over": _OVER},
        )
        try:
            return _read(self._dynamo.update(write))
        except ConditionFailed as lost:
            return None if lost.item is None else _read(lost.item)


def _text(place: Place | None) -> str:
    return _OVER if place is None else f"{place.look}/{place.position}"


def _read(item: Item) -> CancellationState:
    return CancellationState(
        Cancellation.model_validate_json(item["cancellation"]),
        Progress.model_validate_json(item["progress"]),
        item.get("stopped"),
    )
