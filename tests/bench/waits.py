"""Waits for benchmarks: many, of a few kinds, in an index in memory that is read as the one in DynamoDB is."""

from __future__ import annotations

import bisect
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from chalicelib.core.events import Event
from chalicelib.core.matching import Condition, Shape, WaitPlan, lookup_keys, plan_wait
from chalicelib.core.matching.places import place
from chalicelib.core.matching.shapes import index_row
from chalicelib.core.pauses import Pause, PauseKind
from chalicelib.engine.index import PausePage, Place

EVENT = "bench/answer"
NOW_MS = 1_790_000_000_000
_FAR_MS = NOW_MS + 30 * 86_400_000


@dataclass(frozen=True)
class Kind:
    """A form that conditions have; `{n}` is the shape's number. `indexable`: an equality finds its waits."""

    name: str
    if_exp: str | None
    indexable: bool = True


KINDS = (
    Kind("one equality", "async.data.key_{n} == event.data.key"),
    Kind("and a second, unselective one", "async.data.key_{n} == event.data.key && async.data.plan == 'pro'"),
    Kind(
        "and a third condition, no equality",
        "async.data.key_{n} == event.data.key && async.data.plan == 'pro' && async.data.amount > event.data.least",
    ),
    Kind("an inequality only", "async.data.amount > event.data.least", indexable=False),
    Kind("none, each for an event of its own", None, indexable=False),
)


def run_id(number: int) -> str:
    """A run's id, as long as they are."""
    return f"01J0000000{number:016d}"


def trigger(number: int, least: int = 10) -> dict[str, Any]:
    """The event that started a run."""
    return {"name": "bench/asked", "data": {"key": f"customer-{number:09d}", "least": least}}


def answer(number: int, shapes: int, shape: int, *, name: str = EVENT, amount: int = 50) -> Event:
    """The event, of about 1 KB, that one run waits for."""
    keys = {f"key_{n}": f"customer-{number if n == shape else -n - 1:09d}" for n in range(max(shapes, 20))}
    data = {**keys, "plan": "pro", "amount": amount, "note": "x" * 300}
    internal_id = "01K00000000000000000000000"
    received_us = (NOW_MS + 1000) * 1000
    return Event(
        internal_id=internal_id,
        received_at_us=received_us,
        id=internal_id,
        name=name,
        data=data,
        ts=NOW_MS,
        source="bench",
    )


@dataclass
class Rows:
    """What lies under one key: (row, run) in order, and how a row's item reads."""

    rows: list[tuple[str, int]]
    item: Callable[[int], str]


class Index:
    """Implements what matching asks of engine.index.Pauses. An item is JSON text until it is read, as in DynamoDB."""

    def __init__(self) -> None:
        self.shapes_of: dict[str, list[tuple[str, ...]]] = {}
        self.by_key: dict[str, int] = {}
        self.items: Callable[[int], str] = str
        self.buckets: dict[str, Rows] = {}
        self.reads = 0

    def shapes(self, event_name: str) -> list[tuple[str, ...]]:
        """The registered shapes; one read."""
        self.reads += 1
        return self.shapes_of.get(event_name, [])

    def pages(self, places: Sequence[Place], limit: int) -> list[PausePage]:
        """One read each."""
        self.reads += len(places)
        return [self._page(one, limit) for one in places]

    def _page(self, at: Place, limit: int) -> PausePage:
        if (number := self.by_key.get(at.key)) is not None:
            return PausePage((_read(at.key, "row", self.items(number)),), None)
        bucket = self.buckets.get(at.key)
        if bucket is None:
            return PausePage((), None)
        first = bisect.bisect_right(bucket.rows, (at.after, 1 << 60)) if at.after else 0
        rows = bucket.rows[first : first + limit]
        read = tuple(_read(at.key, row, bucket.item(number)) for row, number in rows)
        return PausePage(read, rows[-1][0] if first + limit < len(bucket.rows) else None)


def _read(key: str, row: str, text: str) -> Pause:
    return Pause.model_validate({**json.loads(text), "key": {"key": key, "row": row}})


def _item(plan: WaitPlan, kind: Kind, event_name: str, values: Callable[[int], list[Any]]) -> Callable[[int], str]:
    """How the item of a run's row reads: the same text but for the run and the lifted values."""
    condition = None if plan.condition is None else Condition(plan.condition.template, ("VALUES",)).to_json()
    text = Pause(
        key={"key": "", "row": ""},
        kind=PauseKind.WAIT,
        run_id="RUN",
        fn_id="bench",
        event_name=event_name,
        shape=(),
        step_id="0" * 40,
        if_exp=kind.if_exp,
        condition=condition,
        trigger_event_id="01J00000000000000000000000",
        accept_after_us=NOW_MS * 1000,
        accept_until_ms=_FAR_MS,
    ).model_dump_json(exclude={"key"})
    before, _, after = text.partition(json.dumps(json.dumps(["VALUES"]))) if condition else (text, "", "")

    def item(number: int) -> str:
        if not after:
            return before.replace('"RUN"', f'"{run_id(number)}"')
        return f"{before}{json.dumps(json.dumps(values(number)))}{after}".replace('"RUN"', f'"{run_id(number)}"')

    return item


def alike() -> Iterator[tuple[Kind, ...]]:
    """The indexable kinds, together where their waits have the same keys: then one index serves them all."""
    for _, kinds in groupby((kind for kind in KINDS if kind.indexable), lambda kind: _plan(kind, 0).rows[0].shape):
        yield tuple(kinds)


def keyed(kinds: Sequence[Kind], shapes: int, sizes: Sequence[int]) -> Iterator[tuple[Index, Index, Kind, int]]:
    """An index of kinds that are alike, at each size in turn, and beside it always the one of the first size; run n
    waits with shape n modulo `shapes`."""
    index, few, done = Index(), Index(), 0
    paths = [_plan(kinds[0], n).rows[0].shape.paths for n in range(shapes)]
    index.shapes_of[EVENT] = few.shapes_of[EVENT] = list(paths)
    items = {kind: _items(kind, shapes) for kind in kinds}
    for size in sizes:
        for number in range(done, size):
            key_path = f"async.data.key_{number % shapes}"
            values = {path: f"customer-{number:09d}" if path == key_path else "pro" for path in paths[number % shapes]}
            index.by_key[index_row(EVENT, values).key] = number
        few.by_key = few.by_key or dict(index.by_key)
        done = size
        for kind in kinds:
            index.items = few.items = items[kind]
            yield index, few, kind, size


def _items(kind: Kind, shapes: int) -> Callable[[int], str]:
    plans = [_plan(kind, n) for n in range(shapes)]
    samples = [plan.condition.params if plan.condition else () for plan in plans]
    items = [_item(plan, kind, EVENT, _values(sample)) for plan, sample in zip(plans, samples, strict=True)]
    return lambda number: items[number % shapes](number)


def _plan(kind: Kind, shape: int) -> WaitPlan:
    text = None if kind.if_exp is None else kind.if_exp.replace("{n}", str(shape))
    return plan_wait(EVENT, text, trigger(0))


def _values(sample: tuple[Any, ...]) -> Callable[[int], list[Any]]:
    """A run's lifted values, as those of the run they were planned for, with its own key."""
    mine = [isinstance(value, str) and value.startswith("customer-") for value in sample]
    return lambda number: [f"customer-{number:09d}" if own else value for own, value in zip(mine, sample, strict=True)]


def unequal(kind: Kind, sizes: Sequence[int], thresholds: int = 100) -> Iterator[tuple[Index, int]]:
    """Waits without an equality: all but one ask for more than any event has, with so many different thresholds."""
    leasts = [10 if number == 0 else 1_000 + number for number in range(thresholds)]
    plans = [plan_wait(EVENT, kind.if_exp, trigger(0, least)) for least in leasts]
    item = _item(plans[0], kind, EVENT, lambda number: [leasts[_group(number, thresholds)]])
    for size in sizes:
        index = Index()
        index.shapes_of[EVENT] = [()]
        for key in lookup_keys(EVENT, Shape.of(()), {}):
            index.buckets[key] = Rows([], item)
        for number in range(size):
            plan = plans[_group(number, thresholds)]
            where = place(plan.rows[0], plan.condition, run_id(number), "step#0")
            index.buckets[where.key].rows.append((where.row, number))
        for bucket in index.buckets.values():
            bucket.rows.sort()
        yield index, size


def _group(number: int, groups: int) -> int:
    return 0 if number == 0 else 1 + number % (groups - 1)


def unconditional(kind: Kind, sizes: Sequence[int]) -> Iterator[tuple[Index, int]]:
    """Waits without a condition, each for an event of another name, so that each event has one match."""
    for size in sizes:
        index = Index()
        plan = plan_wait(EVENT, None, trigger(0))
        for number in range(size):
            name = f"{EVENT}.{number}"
            index.shapes_of[name] = [()]
            where = place(plan_wait(name, None, {}).rows[0], None, run_id(number), "step#0")
            index.buckets[where.key] = Rows([(where.row, number)], _item_of(plan, kind, name))
        yield index, size


def _item_of(plan: WaitPlan, kind: Kind, name: str) -> Callable[[int], str]:
    return lambda number: _item(plan, kind, name, lambda _number: [])(number)
