"""The runs table: heads. Every write is one conditional write or one transaction; whoever loses is told what is
there (law 2)."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.aws import items, keys
from chalicelib.aws.dynamo import ConditionFailed, TransactionRefused, Write
from chalicelib.aws.events import effect_write
from chalicelib.aws.marshalling import Item
from chalicelib.aws.pauses import pause_write
from chalicelib.aws.run_lists import DynamoRunLists
from chalicelib.aws.steps import DynamoSteps
from chalicelib.core.errors import LeaseLost, NotFound
from chalicelib.core.events import Event
from chalicelib.core.pauses import Pause
from chalicelib.core.records import Effect, EventTimes
from chalicelib.core.runs import Ending, LeaseResult, Owner, Run, RunHead, RunSeed

_MINE = "lo = :owner AND ln = :nonce"
_OPEN = "attribute_exists(pk) AND attribute_not_exists(st)"


class DynamoRuns(DynamoSteps, DynamoRunLists):
    """Implements engine.ports.Runs."""

    def _read(self, item: Item) -> RunHead:
        return items.read_head(item, self._payloads)

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
        expires_at = self._stamp()
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
            else:
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
        by_id = {item["pk"]: self._read(item) for item in found}
        return [by_id[run_id] for run_id in dict.fromkeys(run_ids) if run_id in by_id]

    def trigger_event(self, run_id: str) -> Event | None:
        item = self._dynamo.get(self._table, run_id, keys.EVENT)
        text = None if item is None else self._payloads.read(item, "event")
        return None if text is None else Event.model_validate_json(text)

    def trigger_events(self, run_id: str) -> tuple[Event, ...]:
        item = self._dynamo.get(self._table, run_id, keys.EVENT)
        return () if item is None else self._events_in(item)

    def _update(self, run_id: str, update: str, condition: str, **values: object) -> Item:
        write = Write(self._table, (run_id, keys.HEAD), update=update, condition=condition, values=dict(values))
        return self._dynamo.update(write)

    def take_lease(
        self, run_id: str, owner: Owner, *, until_ms: int, now_ms: int
    ) -> tuple[LeaseResult, RunHead | None]:
        try:
            item = self._update(
                run_id,
                "SET lo = :owner, ln = :nonce, lu = :until, begun = if_not_exists(begun, :now), "
                "starts = if_not_exists(starts, :zero) + :one REMOVE stalled",
                f"{_OPEN} AND (attribute_not_exists(lo) OR lu < :now)",
                owner=owner.message_id,
                nonce=owner.nonce,
                until=until_ms,
                now=now_ms,
                zero=0,
                one=1,
            )
            return LeaseResult.TAKEN, self._read(item)
        except ConditionFailed as lost:
            if lost.item is None:
                return LeaseResult.MISSING, None
            head = self._read(lost.item)
        if head.ending is not None:
            return LeaseResult.ENDED, head
        if head.owner == owner:
            return LeaseResult.TAKEN, head  # The first try succeeded; its answer was lost.
        if head.owner is not None and head.owner.message_id == owner.message_id:
            return LeaseResult.OWN_MESSAGE, head
        return LeaseResult.OTHER, head

    def begin(self, run_id: str, owner: Owner, now_ms: int) -> RunHead:
        mine = {"owner": owner.message_id, "nonce": owner.nonce}
        try:
            return self._read(
                self._update(run_id, "SET begun = :now REMOVE gated", f"{_OPEN} AND {_MINE}", now=now_ms, **mine)
            )
        except ConditionFailed as lost:
            head = None if lost.item is None else self._read(lost.item)
        if head is None or head.ending is None:
            raise LeaseLost("the lease was lost before the run began")
        return head

    def checkpoint(self, run_id: str, owner: Owner, steps: int) -> RunHead | None:
        counted = "SET cps = if_not_exists(cps, :zero) + :steps"
        mine = {"owner": owner.message_id, "nonce": owner.nonce}
        try:
            return self._read(self._update(run_id, counted, f"{_OPEN} AND {_MINE}", steps=steps, zero=0, **mine))
        except ConditionFailed as lost:
            if lost.item is None:
                raise NotFound(f"there is no run {run_id!r}") from None
            return None

    def renew_lease(self, run_id: str, owner: Owner, *, until_ms: int, now_ms: int) -> bool:
        condition = f"{_OPEN} AND {_MINE} AND lu >= :now"
        held = {"owner": owner.message_id, "nonce": owner.nonce, "now": now_ms, "until": until_ms}
        try:
            self._update(run_id, "SET lu = :until", condition, **held)
        except ConditionFailed:
            return False
        return True

    def mark_progress(self, run_id: str, owner: Owner, mark: int) -> None:
        try:
            self._update(
                run_id,
                "SET mark = :mark, starts = :one",
                _MINE,
                mark=mark,
                one=1,
                owner=owner.message_id,
                nonce=owner.nonce,
            )
        except ConditionFailed:
            raise LeaseLost("the lease was lost before the turn began") from None

    def poke(self, run_id: str, now_ms: int) -> bool:
        live = f"{_OPEN} AND attribute_exists(lo) AND lu >= :now"
        later = "(attribute_not_exists(news) OR news < :now)"
        try:
            self._update(run_id, "SET ver = ver + :one, news = :now", f"{live} AND {later}", one=1, now=now_ms)
        except ConditionFailed as lost:
            if lost.item is None or lost.item.get("news", 0) < now_ms:
                return False
        else:
            return True
        try:
            # The news of a clock that is ahead of this one stand: time does not go back.
            self._update(run_id, "SET ver = ver + :one", live, one=1, now=now_ms)
        except ConditionFailed:
            return False
        return True

    def release(self, run_id: str, owner: Owner, *, version: int | None, wake_at_ms: int | None) -> RunHead | None:
        return self._release(run_id, owner, "starts = :zero", {"zero": 0}, version, wake_at_ms)

    def park(self, run_id: str, owner: Owner, *, version: int, wake_at_ms: int) -> RunHead | None:
        return self._release(run_id, owner, "starts = starts - :one", {"one": 1}, version, wake_at_ms)

    def _release(
        self, run_id: str, owner: Owner, starts: str, of_starts: Item, version: int | None, wake_at_ms: int | None
    ) -> RunHead | None:
        values: Item = {"owner": owner.message_id, "nonce": owner.nonce, **of_starts}
        update, condition = f"SET {starts}", f"{_OPEN} AND {_MINE}"
        if version is not None:
            condition += " AND ver = :version"
            values["version"] = version
        if wake_at_ms is not None:
            update += ", wake = :wake"
            values["wake"] = wake_at_ms
        update += " REMOVE lo, ln, lu" if wake_at_ms is not None else " REMOVE lo, ln, lu, wake"
        try:
            self._update(run_id, update, condition, **values)
        except ConditionFailed as lost:
            if lost.item is None:
                raise LeaseLost("the run was deleted") from None
            head = self._read(lost.item)
            if head.ending is not None or head.owner == owner:
                return head
            if head.owner is not None:
                raise LeaseLost("another turn has taken the lease") from None
            # Nobody holds it: our first try succeeded and its answer was lost, or another turn has come and gone.
        return None

    def end(self, run_id: str, ending: Ending, *, owner: Owner | None) -> RunHead | None:
        write = self._ending_write(run_id, ending, owner)
        try:
            return self._read(self._dynamo.update(write)).model_copy(update={"ending": ending})
        except ConditionFailed as lost:
            if lost.item is None:
                return None
            head = self._read(lost.item)
            if head.ending is None:
                raise LeaseLost("another turn has taken the lease") from None
            return head

    def _ending_write(self, run_id: str, ending: Ending, owner: Owner | None) -> Write:
        fields = self._payloads.fields("ending", items.dump(ending))
        ((name, value),) = fields.items()
        values: Item = {"status": ending.status.value, "ending": value}
        condition = _OPEN
        if owner is not None:
            condition += f" AND {_MINE}"
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
