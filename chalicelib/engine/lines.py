"""Who stands in line before a limit, and is woken when there is a place (docs/CONCURRENCY.md, "The protocol")."""

from __future__ import annotations

from chalicelib.core import concurrency as rule
from chalicelib.core.concurrency import LimitKey, Waiter, Woken
from chalicelib.core.messages import PlannedStepMessage, TurnMessage
from chalicelib.engine.line_ports import LINE_SHARDS
from chalicelib.engine.services import Services

# Who may share a key with others who have a larger limit looks at some of the line even where it sees no free place.
_A_FEW = 8
_LINES_PAGE = 100
_RESERVE_MS = 5_000


def is_held(s: Services, fn_id: str, *, anew: bool = False) -> bool:
    """Whether the runs of the function wait until it is resumed."""
    pause = s.catalog.pause_of(fn_id, anew=anew)
    return pause is not None and pause.holds


def wake_page(s: Services, key: LimitKey, line: list[Waiter]) -> None:
    """Send their messages to those who waited for a function that was resumed, unless they were woken just now."""
    now = s.clock.now_ms()
    for waiter in line:
        if waiter.woken_at_ms + rule.WAKE_AGAIN_MS <= now:
            _wake_one(s, key, waiter, now)


def _wake_one(s: Services, key: LimitKey, waiter: Waiter, now_ms: int) -> None:
    """Noted before it is sent, so that of many who look at once one sends. This promises nothing: the note lapses
    within a minute, and if its author has died before it sent, the sweep wakes whoever still stands there."""
    if s.lines.mark_woken(key, waiter, now_ms, s.chance.entropy().hex()):
        s.queues.send_work(_message(key, waiter))


def _wake_resumed(s: Services, key: LimitKey) -> bool:
    """The message that wakes them was lost, or has not come so far."""
    line = s.lines.waiters(key, limit=_LINES_PAGE)
    if not is_held(s, key.fn_id):
        wake_page(s, key, line)
    return bool(line)


def wake(s: Services, key: LimitKey, limit: int | None, *, but: str | None = None) -> bool:
    """Look, and send their messages to those for whom there is a place; whether somebody stands in line, as far as was
    looked."""
    slots = s.lines.slots(key)
    now = s.clock.now_ms()
    free = _A_FEW if limit is None else rule.free_places(slots, limit, now)
    if not free and not key.is_shared:
        return True
    line = s.lines.waiters(key, limit=min(max(free, _A_FEW), rule.MAX_LOOKED_AT))
    if limit is None and line:
        free = rule.free_places(slots, max(_limit_of(s, waiter) for waiter in line), now)
        if free > len(line) >= _A_FEW:
            line = s.lines.waiters(key, limit=min(free, rule.MAX_LOOKED_AT))
    for waiter in rule.to_wake(slots, line, lambda waiter: _limit_of(s, waiter), now):
        if waiter.holder != but:
            _wake_one(s, key, waiter, now)
    return bool(line)


def _limit_of(s: Services, waiter: Waiter) -> int:
    """Its limit as it is configured now. Where there is none any more it need not wait."""
    config = s.catalog.get(waiter.fn_id)
    if config is None:
        return waiter.limit
    found = config.flow.concurrency if config.flow is not None else ()
    return found[waiter.nth].limit if waiter.nth < len(found) else rule.MAX_LOOKED_AT * 1_000


def _message(key: LimitKey, waiter: Waiter) -> TurnMessage | PlannedStepMessage:
    woken = Woken(key=key, order_us=waiter.order_us)
    if waiter.step_id is None:
        return TurnMessage(run_id=waiter.run_id, hop=waiter.hop, woken=woken)
    return PlannedStepMessage(run_id=waiter.run_id, step_id=waiter.step_id, attempt=waiter.attempt, woken=woken)


def sweep(s: Services, deadline_ms: int) -> int:
    """Look at every line: a place whose time ran out was given back by nobody, and its message may never come again.
    How many lines there are, as far as the invocation's time sufficed."""
    looked_at = 0
    # Where time runs short, each sweep begins elsewhere.
    first = s.clock.now_ms() // 60_000 % LINE_SHARDS
    for shard in (*range(first, LINE_SHARDS), *range(first)):
        after = None
        while True:
            lines = s.lines.lines(shard, after=after, limit=_LINES_PAGE)
            for line in lines:
                if s.clock.now_ms() > deadline_ms - _RESERVE_MS:
                    return looked_at
                looked_at += 1
                if not (_wake_resumed(s, line.key) if line.key.is_pause else wake(s, line.key, None)):
                    s.lines.forget(line)
            if len(lines) < _LINES_PAGE:
                break
            after = lines[-1].key
    return looked_at
