"""The runs table: heads. Every write is one conditional write or one transaction; whoever loses is told what is
there (law 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chalicelib.aws import items, keys
from chalicelib.aws.dynamo import ConditionFailed, TransactionRefused, Write
from chalicelib.aws.events import effect_write
from chalicelib.aws.leases import MINE, OPEN, UNBEGUN, DynamoLeases
from chalicelib.aws.marshalling import Item
from chalicelib.aws.pauses import pause_write
from chalicelib.aws.run_lists import DynamoRunLists
from chalicelib.aws.steps import DynamoSteps
from chalicelib.core.errors import LeaseLost, Unreadable
from chalicelib.core.events import Event
from chalicelib.core.pauses import Pause
from chalicelib.core.records import Effect, EventTimes
from chalicelib.core.runs import Ending, Owner, Run, RunHead, RunSeed


class DynamoRuns(DynamoSteps, DynamoLeases, DynamoRunLists):
    """Implements engine.ports.Runs."""

    def create(
        self,
        seed: RunSeed,
        event: Event,
        pauses: Sequence[Pause],
        times: EventTimes | None = None,
        *,
        gated: bool = False,
        rest: Sequence[Event] = (),
    ) -> RunHead:
        # A throttle may let it begin long after records of now are gone.
        expires_at = self._stamp() + max(0, seed.due_ms - seed.created_at_ms) // 1000
        # The event first: a run that has a head has its event.
        body = {**self._payloads.fields("event", items.dump(event)), "expires_at": expires_at}
        if rest:
            body |= self._payloads.fields("rest", items.dump_all(rest))
        if times is not None:
            body["times"] = items.dump(times)
        try:
            self._dynamo.put(
                Write(self._table, (seed.run_id, keys.EVENT), item=body, condition="attribute_not_exists(pk)")
            )
        except ConditionFailed:
            pass
        head = Write(
            self._table,
            (seed.run_id, keys.HEAD),
            item=items.head_item(seed, expires_at, gated=gated),
            condition="attribute_not_exists(pk)",
        )
        try:
            if pauses:
                rows = [pause_write(self._pauses_table, pause) for pause in pauses]
                self._dynamo.transact([head, *rows])
            else:
                self._dynamo.put(head)
        except (ConditionFailed, TransactionRefused):
            stored = self.head(seed.run_id)
            if stored is not None:
                return stored
        return RunHead(seed=seed, gated=gated, expires_at_s=expires_at)

    def event_times(self, run_id: str) -> EventTimes | None:
        item = self._dynamo.get(self._table, run_id, keys.EVENT)
        # Earlier versions did not keep them.
        return None if item is None or "times" not in item else EventTimes.model_validate_json(item["times"])

    def load(self, run_id: str) -> Run | None:
        head: RunHead | None = None
        events: tuple[Event, ...] = ()
        steps = {}
        for item in self._dynamo.query(self._table, "pk = :pk", {"pk": run_id}):
            if item["sk"] == keys.HEAD:
                head = self._read(item)
            elif item["sk"] == keys.EVENT:
                events = self._events_in(item)
            elif keys.is_step(item["sk"]):
                step = items.read_step(item, self._payloads)
                steps[step.id] = step
        return None if head is None or not events else Run(head, events[0], steps, events[1:])

    def _events_in(self, item: Item) -> tuple[Event, ...]:
        first = Event.model_validate_json(self._payloads.read(item, "event") or "")
        rest = self._payloads.read(item, "rest")
        return (first, *(() if rest is None else items.read_events(rest)))

    def head(self, run_id: str) -> RunHead | None:
        item = self._dynamo.get(self._table, run_id, keys.HEAD)
        return None if item is None else self._read(item)

    def heads(self, run_ids: Sequence[str]) -> list[RunHead]:
        found = self._dynamo.get_many(self._table, [(run_id, keys.HEAD) for run_id in run_ids])
        by_id = {}
        for item in found:
            try:
                by_id[item["pk"]] = self._read(item)
            except Unreadable as error:
                # One of many must not keep the others from being seen and poked.
                items.left_out(error)
        return [by_id[run_id] for run_id in dict.fromkeys(run_ids) if run_id in by_id]

    def trigger_event(self, run_id: str) -> Event | None:
        item = self._dynamo.get(self._table, run_id, keys.EVENT)
        text = None if item is None else self._payloads.read(item, "event")
        return None if text is None else Event.model_validate_json(text)

    def trigger_events(self, run_id: str) -> tuple[Event, ...]:
        item = self._dynamo.get(self._table, run_id, keys.EVENT)
        return () if item is None else self._events_in(item)

    def end(self, run_id: str, ending: Ending, *, owner: Owner | None, unbegun: bool = False) -> RunHead | None:
        write = self._ending_write(run_id, ending, owner)
        if unbegun:
            write = replace(write, condition=f"{write.condition} AND {UNBEGUN}")
        try:
            return self._read(self._dynamo.update(write)).model_copy(update={"ending": ending})
        except ConditionFailed as lost:
            if lost.item is None:
                return None
            head = self._read(lost.item)
            if head.ending is None and owner is not None:
                raise LeaseLost("another turn has taken the lease") from None
            return head

    def _ending_write(self, run_id: str, ending: Ending, owner: Owner | None) -> Write:
        fields = self._payloads.fields("ending", items.dump(ending))
        ((name, value),) = fields.items()
        values: Item = {"status": ending.status.value, "ending": value}
        condition = OPEN
        if owner is not None:
            condition += f" AND {MINE}"
            values |= {"owner": owner.message_id, "nonce": owner.nonce}
        return Write(
            self._table,
            (run_id, keys.HEAD),
            update=f"SET st = :status, {name} = :ending REMOVE lo, ln, lu, wake, stalled",
            condition=condition,
            values=values,
        )

    def cancel_by(self, effect: Effect, ending: Ending) -> RunHead | None:
        marker = effect_write(self._events_table, effect, self._stamp())
        try:
            self._dynamo.transact([marker, self._ending_write(effect.run_id, ending, None)])
        except TransactionRefused:
            pass  # It has ended already, by this event or otherwise: what follows is done all the same.
        return self.head(effect.run_id)

    def mark_settled(self, run_id: str, expires_at_s: int) -> bool:
        try:
            self._update(
                run_id,
                "SET settled = :yes, expires_at = :expires REMOVE open_pk, open_sk",
                "attribute_exists(pk) AND attribute_not_exists(settled)",
                yes=True,
                expires=expires_at_s,
            )
        except ConditionFailed:
            return False
        return True

    def mark_stalled(self, run_id: str, reason: str) -> None:
        self._quietly(run_id, "SET stalled = :reason", reason=reason)

    def mark_poked(self, run_id: str, now_ms: int) -> None:
        self._quietly(run_id, "SET poked = :now", now=now_ms)

    def _quietly(self, run_id: str, update: str, **values: object) -> None:
        try:
            self._update(run_id, update, "attribute_exists(pk)", **values)
        except ConditionFailed:
            pass  # The run was deleted.

    def extend_expiry(self, run_id: str, expires_at_s: int) -> None:
        rows = [item["sk"] for item in self._dynamo.query(self._table, "pk = :pk", {"pk": run_id})]
        # The head last: it says for all of them how far they reach.
        for sk in sorted(rows, reverse=True):
            write = Write(
                self._table,
                (run_id, sk),
                update="SET expires_at = :expires",
                condition="attribute_exists(pk) AND expires_at < :expires",
                values={"expires": expires_at_s},
            )
            try:
                self._dynamo.update(write)
            except ConditionFailed:
                continue  # It was deleted, or is kept for longer already.
