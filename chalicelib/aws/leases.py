"""The runs table: the lease of a run's head, and what its holder writes (law 2)."""

from __future__ import annotations

from chalicelib.aws import items, keys
from chalicelib.aws.dynamo import ConditionFailed, Dynamo, Write
from chalicelib.aws.marshalling import Item
from chalicelib.aws.payloads import Payloads
from chalicelib.core.errors import LeaseLost, NotFound
from chalicelib.core.runs import LeaseResult, Owner, RunHead
from chalicelib.core.timeouts import Timeout, passed

MINE = "lo = :owner AND ln = :nonce"
OPEN = "attribute_exists(pk) AND attribute_not_exists(st)"
UNBEGUN = "(attribute_not_exists(begun) OR attribute_exists(gated))"
_MAY_BEGIN = f"(attribute_not_exists(nb) OR nb <= :now) AND (attribute_not_exists(sb) OR sb > :now OR NOT {UNBEGUN})"


class DynamoLeases:
    """The part of engine.ports.Runs that is about leases of runs."""

    _dynamo: Dynamo
    _payloads: Payloads
    _table: str

    def _read(self, item: Item) -> RunHead:
        return items.read_head(item, self._payloads)

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
                f"{OPEN} AND (attribute_not_exists(lo) OR lu < :now) AND {_MAY_BEGIN}",
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
        if not head.lease_is_live(now_ms):
            if passed(head, now_ms) is Timeout.START:
                return LeaseResult.LATE, head
            if (head.seed.not_before_ms or 0) > now_ms:
                return LeaseResult.EARLY, head
        if head.owner is not None and head.owner.message_id == owner.message_id:
            return LeaseResult.OWN_MESSAGE, head
        return LeaseResult.OTHER, head

    def begin(self, run_id: str, owner: Owner, now_ms: int) -> RunHead:
        mine = {"owner": owner.message_id, "nonce": owner.nonce}
        try:
            return self._read(
                self._update(run_id, "SET begun = :now REMOVE gated", f"{OPEN} AND {MINE}", now=now_ms, **mine)
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
            return self._read(self._update(run_id, counted, f"{OPEN} AND {MINE}", steps=steps, zero=0, **mine))
        except ConditionFailed as lost:
            if lost.item is None:
                raise NotFound(f"there is no run {run_id!r}") from None
            return None

    def renew_lease(self, run_id: str, owner: Owner, *, until_ms: int, now_ms: int) -> bool:
        condition = f"{OPEN} AND {MINE} AND lu >= :now"
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
                MINE,
                mark=mark,
                one=1,
                owner=owner.message_id,
                nonce=owner.nonce,
            )
        except ConditionFailed:
            raise LeaseLost("the lease was lost before the turn began") from None

    def poke(self, run_id: str, now_ms: int) -> bool:
        live = f"{OPEN} AND attribute_exists(lo) AND lu >= :now"
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

    def release(
        self, run_id: str, owner: Owner, *, version: int | None, wake_at_ms: int | None, is_timed: bool = False
    ) -> RunHead | None:
        starts, values = "starts = :zero", {"zero": 0}
        if is_timed:
            starts, values = f"{starts}, timed = :yes", {**values, "yes": True}
        return self._release(run_id, owner, starts, values, version, wake_at_ms)

    def park(self, run_id: str, owner: Owner, *, version: int, wake_at_ms: int, gate: bool = False) -> RunHead | None:
        starts, values = "starts = starts - :one", {"one": 1}
        if gate:
            starts, values = f"{starts}, gated = :yes", {**values, "yes": True}
        return self._release(run_id, owner, starts, values, version, wake_at_ms)

    def _release(
        self, run_id: str, owner: Owner, starts: str, of_starts: Item, version: int | None, wake_at_ms: int | None
    ) -> RunHead | None:
        values: Item = {"owner": owner.message_id, "nonce": owner.nonce, **of_starts}
        update, condition = f"SET {starts}", f"{OPEN} AND {MINE}"
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
