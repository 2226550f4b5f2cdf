"""The pauses table: who waits for a signal. One row for each signal, so that there is one wait for it."""

from __future__ import annotations

import json

from chalicelib.aws import keys
from chalicelib.aws.dynamo import ConditionFailed, Dynamo, TransactionRefused, Write
from chalicelib.aws.items import dump
from chalicelib.aws.marshalling import Item
from chalicelib.aws.steps import DynamoSteps
from chalicelib.core import limits
from chalicelib.core.runs import Owner
from chalicelib.core.signals import SignalWait
from chalicelib.core.steps import StepRecord

# As the rows of other waits: so long is a wait that was forgotten still found by its signal.
_KEEP_MS = 7 * limits.DAY_MS
# A step may be tried again for as long as its message is kept, and the signal come at the end of the wait.
_KEEP_SENT_S = 30 * limits.DAY_MS // 1000


class DynamoSignals:
    """Implements engine.ports.Signals."""

    def __init__(self, dynamo: Dynamo, steps: DynamoSteps, table: str) -> None:
        self._dynamo = dynamo
        self._steps = steps
        self._table = table

    def holder(self, signal: str) -> SignalWait | None:
        item = self._dynamo.get(self._table, keys.signal(signal), keys.SIGNAL_ROW)
        return None if item is None else _read(item)

    def register(
        self, owner: Owner, step: StepRecord, wait: SignalWait, now_ms: int, *, after: SignalWait | None
    ) -> StepRecord | SignalWait:
        row = Write(
            self._table,
            (keys.signal(wait.signal), keys.SIGNAL_ROW),
            item={
                "wait": dump(wait),
                "waiter": _waiter(wait.run_id, wait.step_id),
                "expires_at": (wait.until_ms + _KEEP_MS) // 1000,
            },
            condition="attribute_not_exists(pk)" if after is None else "attribute_not_exists(pk) OR waiter = :after",
            values={} if after is None else {"after": _waiter(after.run_id, after.step_id)},
        )
        while True:
            try:
                self._dynamo.transact([*self._steps.registering(wait.run_id, owner, step, now_ms), row])
            except TransactionRefused as refused:
                stored = self._steps.refused_step(wait.run_id, step, refused)
                if stored is not None:
                    return stored
                item = refused.failed[2]
                if item is None:
                    continue  # Whoever had it is gone since.
                return _read(item)
            return step

    def put_sent(self, sender: str, wait: SignalWait) -> SignalWait:
        write = Write(
            self._table,
            (keys.sent_signal(sender), keys.SIGNAL_ROW),
            item={"sent": dump(wait), "expires_at": wait.until_ms // 1000 + _KEEP_SENT_S},
            condition="attribute_not_exists(pk)",
        )
        try:
            self._dynamo.put(write)
        except ConditionFailed as lost:
            return wait if lost.item is None else SignalWait.model_validate_json(lost.item["sent"])
        return wait

    def sent(self, sender: str) -> SignalWait | None:
        item = self._dynamo.get(self._table, keys.sent_signal(sender), keys.SIGNAL_ROW)
        return None if item is None else SignalWait.model_validate_json(item["sent"])

    def remove(self, signal: str, run_id: str, step_id: str) -> None:
        write = Write(
            self._table,
            (keys.signal(signal), keys.SIGNAL_ROW),
            condition="waiter = :waiter",
            values={"waiter": _waiter(run_id, step_id)},
        )
        try:
            self._dynamo.delete(write)
        except ConditionFailed:
            pass  # It is gone, or another waits for the signal now.


def _waiter(run_id: str, step_id: str) -> str:
    return f"{run_id}#{step_id}"


def _read(item: Item) -> SignalWait:
    return SignalWait.model_validate(json.loads(item["wait"]))
