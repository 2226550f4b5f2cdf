"""The runs table: steps. A step's end is recorded once; whoever loses takes what is recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chalicelib.aws import items, keys
from chalicelib.aws.dynamo import ConditionFailed, Dynamo, TransactionRefused, Write
from chalicelib.aws.events import effect_write
from chalicelib.aws.marshalling import Item
from chalicelib.aws.pauses import pause_write
from chalicelib.aws.payloads import Payloads
from chalicelib.core.errors import LeaseLost
from chalicelib.core.pauses import Pause
from chalicelib.core.records import Effect, Resumed
from chalicelib.core.runs import Owner
from chalicelib.core.steps import StepLease, StepOutcome, StepPlan, StepRecord, StepStatus

_UNDER_WAY = "st IN (:planned, :retrying)"
_UNDER_WAY_VALUES = {"planned": StepStatus.PLANNED.value, "retrying": StepStatus.RETRYING.value}


class DynamoSteps:
    """The half of engine.ports.Runs that is about steps. `stamp` tells until when what is written now is kept
    (seconds since the epoch)."""

    def __init__(
        self,
        dynamo: Dynamo,
        payloads: Payloads,
        *,
        runs_table: str,
        events_table: str,
        pauses_table: str,
        stamp: Callable[[], int],
    ) -> None:
        self._dynamo = dynamo
        self._payloads = payloads
        self._table = runs_table
        self._events_table = events_table
        self._pauses_table = pauses_table
        self._stamp = stamp

    def _step(self, item: Item) -> StepRecord:
        return items.read_step(item, self._payloads)

    def get_step(self, run_id: str, step_id: str) -> StepRecord | None:
        item = self._dynamo.get(self._table, run_id, keys.step(step_id))
        return None if item is None else self._step(item)

    def ended_plans(self, steps: Sequence[tuple[str, str]]) -> dict[tuple[str, str], StepPlan]:
        rows = self._dynamo.get_many(
            self._table, [(run_id, keys.step(step_id)) for run_id, step_id in steps], only="pk, sk, st, pl, pl_at"
        )
        found = {(str(item["pk"]), keys.step_id(item["sk"])): item for item in rows}
        plans: dict[tuple[str, str], StepPlan] = {}
        for step in steps:
            item = found.get(step)
            if item is not None and StepStatus(item["st"]).is_final:
                plans[step] = StepPlan.model_validate_json(self._payloads.read(item, "pl") or "")
        return plans

    def _put(self, run_id: str, step: StepRecord, condition: str, values: Item) -> Write:
        return Write(
            self._table,
            (run_id, keys.step(step.id)),
            item=items.step_item(step, self._payloads, self._stamp()),
            condition=condition,
            values=values,
        )

    def put_step(self, run_id: str, step: StepRecord) -> StepRecord:
        condition = f"attribute_not_exists(pk) OR {_UNDER_WAY}"
        try:
            self._dynamo.put(self._put(run_id, step, condition, dict(_UNDER_WAY_VALUES)))
        except ConditionFailed as lost:
            return self._step(lost.item) if lost.item is not None else step
        return step

    def put_retry(self, run_id: str, step: StepRecord) -> bool:
        condition = f"attribute_not_exists(pk) OR ({_UNDER_WAY} AND n < :n)"
        values: Item = {**_UNDER_WAY_VALUES, "n": len(step.plan.attempts)}
        try:
            self._dynamo.put(self._put(run_id, step, condition, values))
        except ConditionFailed:
            return False  # It was recorded before, or the step has ended.
        return True

    def registering(self, run_id: str, owner: Owner, step: StepRecord, now_ms: int) -> list[Write]:
        """What a transaction that registers a step begins with; see `refused_step`."""
        head = Write(
            self._table,
            (run_id, keys.HEAD),
            condition="attribute_not_exists(st) AND lo = :owner AND ln = :nonce AND lu >= :now",
            values={"owner": owner.message_id, "nonce": owner.nonce, "now": now_ms},
        )
        condition, values = "attribute_not_exists(pk)", {}
        if step.status is StepStatus.WAITING:
            # A step that was to be run may have become a wait: the code changed. One that runs goes on.
            condition += f" OR ({_UNDER_WAY} AND (attribute_not_exists(lo) OR lu < :now))"
            values = {**_UNDER_WAY_VALUES, "now": now_ms}
        return [head, self._put(run_id, step, condition, values)]

    def refused_step(self, run_id: str, step: StepRecord, refused: TransactionRefused) -> StepRecord | None:
        """The step that is there instead, if that is why the transaction was refused. Raises LeaseLost."""
        if 0 in refused.failed:
            raise LeaseLost("the lease was lost, or the run has ended")
        if 1 not in refused.failed:
            return None
        stored = refused.failed[1]
        return self._step(stored) if stored is not None else self.get_step(run_id, step.id) or step

    def register(self, run_id: str, owner: Owner, step: StepRecord, pauses: Sequence[Pause], now_ms: int) -> StepRecord:
        rows = [pause_write(self._pauses_table, pause) for pause in pauses]
        try:
            self._dynamo.transact([*self.registering(run_id, owner, step, now_ms), *rows])
        except TransactionRefused as refused:
            return self.refused_step(run_id, step, refused) or step
        return step

    def _outcome(self, outcome: StepOutcome) -> tuple[str, Item]:
        """The update that ends a step, and its values."""
        ((name, value),) = self._payloads.fields("res", items.dump(outcome)).items()
        status = StepStatus.FAILED if outcome.error is not None else StepStatus.COMPLETED
        return f"SET st = :st, {name} = :res", {"st": status.value, "res": value}

    def complete(self, run_id: str, step_id: str, outcome: StepOutcome, plan: StepPlan | None = None) -> StepRecord:
        update, values = self._outcome(outcome)
        condition = "st = :waiting"
        values["waiting"] = StepStatus.WAITING.value
        if plan is not None:
            update += ", pl = if_not_exists(pl, :plan), expires_at = if_not_exists(expires_at, :expires)"
            condition += " OR attribute_not_exists(pk)"
            values |= {"plan": items.dump(plan), "expires": self._stamp()}
        write = Write(self._table, (run_id, keys.step(step_id)), update=update, condition=condition, values=values)
        try:
            return self._step(self._dynamo.update(write)).model_copy(update={"outcome": outcome})
        except ConditionFailed as lost:
            if lost.item is None:
                raise LeaseLost("the run was deleted") from None
            return self._step(lost.item)

    def resume(self, effect: Effect, outcome: StepOutcome) -> Resumed:
        assert effect.step_id is not None
        update, values = self._outcome(outcome)
        marker = effect_write(self._events_table, effect, self._stamp())
        step = Write(
            self._table,
            (effect.run_id, keys.step(effect.step_id)),
            update=update,
            condition="st = :waiting",
            values={**values, "waiting": StepStatus.WAITING.value},
        )
        try:
            self._dynamo.transact([marker, step])
        except TransactionRefused as refused:
            before = refused.failed.get(0)
            is_repeated = before is not None and before.get("step") == effect.step_id
            return Resumed.EARLIER if is_repeated else Resumed.NOT
        return Resumed.NOW

    def look_on(self, run_id: str, step_id: str, *, was: str, now: str | None) -> StepRecord:
        values: Item = {"waiting": StepStatus.WAITING.value, "was": was} | ({} if now is None else {"now": now})
        write = Write(
            self._table,
            (run_id, keys.step(step_id)),
            update="REMOVE look" if now is None else "SET look = :now",
            condition="st = :waiting AND look = :was",
            values=values,
        )
        try:
            return self._step(self._dynamo.update(write))
        except ConditionFailed as lost:
            if lost.item is None:
                raise LeaseLost("the run was deleted") from None
            return self._step(lost.item)  # The wait has ended, or another turn has come further.

    def put_place(self, run_id: str, step_id: str, place: int) -> int:
        write = Write(
            self._table,
            (run_id, keys.step(step_id)),
            update="SET place = if_not_exists(place, :place)",
            condition="attribute_exists(pk)",
            values={"place": place},
        )
        try:
            return int(self._dynamo.update(write)["place"])
        except ConditionFailed:
            raise LeaseLost("the run was deleted") from None

    def lease_step(
        self, run_id: str, step_id: str, owner: Owner, plan: StepPlan, *, until_ms: int, now_ms: int
    ) -> StepLease:
        write = Write(
            self._table,
            (run_id, keys.step(step_id)),
            update=(
                "SET st = if_not_exists(st, :planned), pl = if_not_exists(pl, :plan), "
                "expires_at = if_not_exists(expires_at, :expires), n = if_not_exists(n, :zero), "
                "lo = :owner, ln = :nonce, lu = :until, starts = if_not_exists(starts, :zero) + :one"
            ),
            condition=f"(attribute_not_exists(pk) OR {_UNDER_WAY}) AND (attribute_not_exists(lo) OR lu < :now)",
            values={
                **_UNDER_WAY_VALUES,
                "plan": items.dump(plan),
                "expires": self._stamp(),
                "owner": owner.message_id,
                "nonce": owner.nonce,
                "until": until_ms,
                "now": now_ms,
                "zero": 0,
                "one": 1,
            },
        )
        try:
            item = self._dynamo.update(write)
            return StepLease(granted=True, step=self._step(item), version=item.get("ver", 0))
        except ConditionFailed as lost:
            found = lost.item
        if found is None:
            return StepLease(granted=False)
        item = found
        step = self._step(item)
        if step.status in (StepStatus.PLANNED, StepStatus.RETRYING) and item.get("lo") == owner.message_id:
            mine = item.get("ln") == owner.nonce
            until_ms, version = item.get("lu", 0), item.get("ver", 0)
            return StepLease(granted=mine, step=step, own_message=True, lease_until_ms=until_ms, version=version)
        return StepLease(granted=False, step=step)

    def park_step(self, run_id: str, step_id: str, owner: Owner, version: int) -> int | None:
        write = Write(
            self._table,
            (run_id, keys.step(step_id)),
            update="SET starts = starts - :one REMOVE lo, ln, lu",
            condition=f"lo = :owner AND ln = :nonce AND {'ver = :version' if version else 'attribute_not_exists(ver)'}",
            values={
                "owner": owner.message_id,
                "nonce": owner.nonce,
                "one": 1,
                **({"version": version} if version else {}),
            },
        )
        try:
            self._dynamo.update(write)
        except ConditionFailed as lost:
            if lost.item is not None and (lost.item.get("lo"), lost.item.get("ln")) == (owner.message_id, owner.nonce):
                return int(lost.item.get("ver", 0))
            # Nobody's or another's: our first try succeeded and its answer was lost, or the step has ended.
        return None

    def poke_step(self, run_id: str, step_id: str, now_ms: int) -> bool:
        write = Write(
            self._table,
            (run_id, keys.step(step_id)),
            update="SET ver = if_not_exists(ver, :zero) + :one",
            condition=f"{_UNDER_WAY} AND attribute_exists(lo) AND lu >= :now",
            values={**_UNDER_WAY_VALUES, "now": now_ms, "zero": 0, "one": 1},
        )
        try:
            self._dynamo.update(write)
        except ConditionFailed:
            return False
        return True

    def drop_step_lease(self, run_id: str, step_id: str, owner: Owner) -> None:
        write = Write(
            self._table,
            (run_id, keys.step(step_id)),
            update="SET starts = :zero REMOVE lo, ln, lu",
            condition="lo = :owner AND ln = :nonce",
            values={"owner": owner.message_id, "nonce": owner.nonce, "zero": 0},
        )
        try:
            self._dynamo.update(write)
        except ConditionFailed:
            pass
