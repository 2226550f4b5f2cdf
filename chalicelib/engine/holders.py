"""Which run holds the place of a singleton: one cell for each value of a function's key (core.singletons)."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.core import limits, singletons
from chalicelib.core.errors import TransactionConflict
from chalicelib.core.records import Start
from chalicelib.core.runs import Hold, RunSeed
from chalicelib.core.singletons import Holder
from chalicelib.engine import cells
from chalicelib.engine.cells import Change
from chalicelib.engine.flow_ports import CellKey, Mechanism
from chalicelib.engine.services import Services

# A run may sleep for years. Whoever ends gives its place back; what a crash leaves, the next one takes.
_KEPT_MS = 10 * limits.MAX_WAIT_MS
_MOST_RACES = 40


def cell_of(fn_id: str, hold: Hold) -> CellKey:
    """Where it is kept."""
    return CellKey(Mechanism.SINGLETON, fn_id, hold.digest)


def take(s: Services, key: CellKey, me: Holder) -> Holder | None:
    """Take the place if nobody holds it; None when it is ours, now or since before; else who holds it."""

    def rule(text: str | None) -> Change[Holder | None]:
        held = None if text is None else Holder.model_validate_json(text)
        after = singletons.take(held, me)
        other = None if after.run_id == me.run_id else after
        return Change(other, None if after is held else after.model_dump_json(), me.since_ms + _KEPT_MS)

    return cells.decide(s, key, rule, expects_none=True)


def claim(s: Services, fn_id: str, hold: Hold, me: Holder) -> Holder | None:
    """Take the place for a run that is about to be decided on; None when it is ours; else who holds it and is not
    over."""
    key = cell_of(fn_id, hold)
    for _ in range(_MOST_RACES):
        holder = take(s, key, me)
        if holder is None or not is_over(s, holder):
            return holder
        _free(s, key, holder.__eq__)
    raise TransactionConflict(f"too many starts of {fn_id} claim the place of its singleton at once")


def is_over(s: Services, holder: Holder) -> bool:
    """Whether it has ended without giving the place back, or will never be."""
    head = s.runs.head(holder.run_id)
    record = s.events.get(holder.event_id) if head is None else None
    return singletons.is_over(holder, head, record, s.clock.now_ms())


def give_back(s: Services, key: CellKey, run_id: str) -> None:
    """Free the place if this run holds it."""
    _free(s, key, lambda held: held.run_id == run_id)


def _free(s: Services, key: CellKey, is_it: Callable[[Holder], object]) -> None:
    cells.remove_if(s, key, lambda text: is_it(Holder.model_validate_json(text)))


def let_go(s: Services, seed: RunSeed) -> None:
    """A run has ended: whatever it holds is free."""
    if seed.hold is not None:
        give_back(s, cell_of(seed.fn_id, seed.hold), seed.run_id)


def undo(s: Services, planned: tuple[Start, ...], decided: tuple[Start, ...]) -> None:
    """Another delivery of the event had decided before: give back what was claimed for runs that are not to be. Dying
    before that does no harm: who finds such a claim asks the event's record."""
    kept = {start.run_id for start in decided if start.is_live and start.hold is not None}
    for start in planned:
        if start.hold is not None and start.run_id not in kept:
            give_back(s, cell_of(start.fn_id, start.hold), start.run_id)
