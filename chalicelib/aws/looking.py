"""Reads for people alone: filtered and bounded looks at whole tables, without an index that every run would pay for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from chalicelib.aws import keys
from chalicelib.aws.dynamo import Dynamo
from chalicelib.aws.items import read_step
from chalicelib.aws.marshalling import Item
from chalicelib.aws.pauses import read_pause
from chalicelib.aws.payloads import Payloads
from chalicelib.core.pauses import Pause
from chalicelib.core.runs import RunStatus
from chalicelib.core.steps import PauseKey, StepRecord
from chalicelib.engine.operator_ports import PauseSample, RunSample

# DynamoDB ends a page at 1 MB anyway: 128 read units.
_PAGE_ITEMS = 5_000


class DynamoLooking:
    """Implements engine.operator_ports.Looking."""

    def __init__(self, dynamo: Dynamo, payloads: Payloads, *, runs_table: str, pauses_table: str) -> None:
        self._dynamo = dynamo
        self._payloads = payloads
        self._runs = runs_table
        self._pauses = pauses_table

    def waiting_for(self, event_name: str, after: PauseKey | None) -> tuple[list[Pause], PauseKey | None]:
        scanned = self._dynamo.scan_page(
            self._pauses,
            None if after is None else {"pk": after.key, "sk": after.row},
            _PAGE_ITEMS,
            "contains(pause, :name)",
            # As it stands in the row's JSON; a condition's text would have its quotes escaped.
            name=f'"event_name":{json.dumps(event_name, ensure_ascii=False)}',
        )
        rows = [pause for item in scanned.items if (pause := read_pause(item)).event_name == event_name]
        place = scanned.following
        return rows, None if place is None else PauseKey(key=place["pk"], row=place["sk"])

    def pauses(self, rows: Sequence[PauseKey]) -> list[Pause]:
        found = self._dynamo.get_many(self._pauses, [(row.key, row.row) for row in rows])
        by_key = {(item["pk"], item["sk"]): read_pause(item) for item in found}
        return [by_key[row.key, row.row] for row in rows if (row.key, row.row) in by_key]

    def steps(self, ids: Sequence[tuple[str, str]]) -> dict[tuple[str, str], StepRecord]:
        found = self._dynamo.get_many(self._runs, [(run_id, keys.step(step_id)) for run_id, step_id in ids])
        records = [(str(item["pk"]), read_step(item, self._payloads)) for item in found]
        return {(run_id, step.id): step for run_id, step in records}

    def sample_runs(self, pages: int) -> RunSample:
        statuses: Counter[RunStatus] = Counter()
        queued: list[int] = []
        looked_at = stalled = 0
        after = None
        for _ in range(pages):
            scanned = self._dynamo.scan_page(self._runs, after, _PAGE_ITEMS, "sk = :head", head=keys.HEAD)
            looked_at += scanned.looked_at
            statuses.update(_status(item) for item in scanned.items)
            queued += [_created_at_ms(item) for item in scanned.items if _status(item) is RunStatus.QUEUED]
            stalled += sum("stalled" in item and "st" not in item for item in scanned.items)
            after = scanned.following
            if after is None:
                break
        total = looked_at if after is None else self._dynamo.count_items(self._runs)
        oldest = min(queued, default=None)
        return RunSample(dict(statuses), oldest, stalled, looked_at, total, is_complete=after is None)

    def sample_pauses(self, pages: int) -> PauseSample:
        rows: list[Pause] = []
        looked_at = 0
        after = None
        for _ in range(pages):
            scanned = self._dynamo.scan_page(self._pauses, after, _PAGE_ITEMS)
            looked_at += scanned.looked_at
            rows += [read_pause(item) for item in scanned.items if "pause" in item]
            after = scanned.following
            if after is None:
                break
        total = looked_at if after is None else self._dynamo.count_items(self._pauses)
        return PauseSample(rows, looked_at, total, is_complete=after is None)


def _status(item: Item) -> RunStatus:
    if "st" in item:
        return RunStatus(item["st"])
    return RunStatus.RUNNING if "begun" in item else RunStatus.QUEUED


def _created_at_ms(item: Item) -> int:
    return int(json.loads(item["seed"])["created_at_ms"])
