"""Jobs on many runs, each kind in a partition of the runs table. There are few, and each is written by one message at a
time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from chalicelib.aws import keys
from chalicelib.aws.dynamo import ConditionFailed, Dynamo, Write
from chalicelib.aws.items import STANDING, dump, read_standing
from chalicelib.aws.marshalling import Item
from chalicelib.core.bulk import BulkJob, BulkProgress, BulkState, Place, Standing
from chalicelib.core.cancellations import Cancellation, CancellationState
from chalicelib.core.cancellations import Progress as CancellationProgress
from chalicelib.core.replays import Replay, ReplayProgress, ReplayState

_OVER = "over"
Job = TypeVar("Job", bound=BulkJob)
Progress = TypeVar("Progress", bound=BulkProgress)
State = TypeVar("State", bound=BulkState[Any, Any])


class DynamoBulk(Generic[Job, Progress, State]):
    """Implements engine.operator_ports.Bulk. `stamp` as in DynamoEvents; `attribute` holds the job itself."""

    def __init__(
        self,
        dynamo: Dynamo,
        table: str,
        stamp: Callable[[], int],
        *,
        partition: str,
        attribute: str,
        job: type[Job],
        progress: type[Progress],
        state: Callable[[Job, Progress, int | None], State],
    ) -> None:
        self._dynamo = dynamo
        self._table = table
        self._stamp = stamp
        self._partition = partition
        self._attribute = attribute
        self._job = job
        self._progress = progress
        self._state = state

    def put(self, job: Job) -> State:
        first = self._progress()
        item: Item = {
            self._attribute: dump(job),
            "progress": dump(first),
            "place": _text(first.place),
            "expires_at": self._stamp(),
        }
        write = Write(self._table, (self._partition, job.id), item=item, condition="attribute_not_exists(pk)")
        try:
            self._dynamo.put(write)
        except ConditionFailed as lost:
            return self._state(job, first, None) if lost.item is None else self._read(lost.item)
        return self._state(job, first, None)

    def get(self, job_id: str) -> State | None:
        item = self._dynamo.get(self._table, self._partition, job_id)
        return None if item is None else self._read(item)

    def page(self, *, before: str | None, limit: int) -> list[State]:
        values = {"pk": self._partition} | ({} if before is None else {"before": before})
        rows = self._dynamo.query(
            self._table,
            "pk = :pk" if before is None else "pk = :pk AND sk < :before",
            values,
            forward=False,
            page_size=limit,
        )
        return [self._read(item) for item in itertools.islice(rows, limit)]

    def advance(self, job_id: str, *, was: Place, now: Progress, nonce: str) -> bool:
        write = Write(
            self._table,
            (self._partition, job_id),
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

    def stop(self, job_id: str, now_ms: int) -> State | None:
        write = Write(
            self._table,
            (self._partition, job_id),
            update="SET stopped = :now",
            condition="attribute_exists(pk) AND attribute_not_exists(stopped) AND place <> :over",
            values={"now": now_ms, "over": _OVER},
        )
        try:
            return self._read(self._dynamo.update(write))
        except ConditionFailed as lost:
            return None if lost.item is None else self._read(lost.item)

    def _read(self, item: Item) -> State:
        job = self._job.model_validate_json(item[self._attribute])
        return self._state(job, self._progress.model_validate_json(item["progress"]), item.get("stopped"))


def _text(place: Place | None) -> str:
    return _OVER if place is None else f"{place.look}/{place.position}"


class DynamoCancellations(DynamoBulk[Cancellation, CancellationProgress, CancellationState]):
    """Bulk cancellations."""

    def __init__(self, dynamo: Dynamo, table: str, stamp: Callable[[], int]) -> None:
        super().__init__(
            dynamo,
            table,
            stamp,
            partition=keys.CANCELLATIONS,
            attribute="cancellation",
            job=Cancellation,
            progress=CancellationProgress,
            state=CancellationState,
        )


class DynamoReplays(DynamoBulk[Replay, ReplayProgress, ReplayState]):
    """Replays of many runs."""

    def __init__(self, dynamo: Dynamo, table: str, stamp: Callable[[], int]) -> None:
        super().__init__(
            dynamo,
            table,
            stamp,
            partition=keys.REPLAYS,
            attribute="replay",
            job=Replay,
            progress=ReplayProgress,
            state=ReplayState,
        )
