"""Concurrency: who may take a place under a limit, and who is woken when one is free (docs/CONCURRENCY.md).

A limit has as many places as it says for each value of its key. Whoever executes holds one in each of its function's
limits, for as long as its lease; who finds none stands in line, by the time when its run's event was accepted, and its
priority.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from chalicelib.core import limits
from chalicelib.core.errors import UserError
from chalicelib.core.flow_control import Concurrency, Flow

_ROOTS = frozenset({"event"})
_DIGEST_CHARS = 32
MAX_PRIORITY_S = 600
# So long is one that was woken given to come, before it is woken again.
WAKE_AGAIN_MS = 60 * limits.SECOND_MS
# So many of a line are looked at at once.
MAX_LOOKED_AT = 1_000
# Instead of a digest: no value of a key has it.
_PAUSED = "paused"
_NO_LIMIT = -1


class LimitKey(BaseModel):
    """For what a limit holds: of one function, or, with no `fn_id`, of all that share its key."""

    model_config = ConfigDict(frozen=True)

    fn_id: str = ""
    digest: str

    @property
    def is_shared(self) -> bool:
        """Whether several functions share it, who may give it different limits."""
        return not self.fn_id

    @property
    def is_pause(self) -> bool:
        """Whether who stands here waits until the function is resumed."""
        return self.digest == _PAUSED

    @property
    def rank(self) -> tuple[str, str]:
        """The order in which places are taken by whoever needs several."""
        return self.fn_id, self.digest


class Woken(BaseModel):
    """From which line a message was sent, and from where in it."""

    model_config = ConfigDict(frozen=True)

    key: LimitKey
    order_us: int


@dataclass(frozen=True)
class Claim:
    """A place that a run needs: `nth` of its function's limits, whose key has the value `shown`."""

    key: LimitKey
    limit: int
    nth: int
    shown: str


def pause_claim(fn_id: str) -> Claim:
    """What nobody has a place in as long as the function is paused."""
    return Claim(LimitKey(fn_id=fn_id, digest=_PAUSED), limit=0, nth=_NO_LIMIT, shown="")


@dataclass(frozen=True)
class Slot:
    """A place that is held: by the nonce of one delivery, for `holder`."""

    index: int
    holder: str
    nonce: str
    until_ms: int

    def is_live(self, now_ms: int) -> bool:
        return self.until_ms >= now_ms


@dataclass(frozen=True)
class Waiter:
    """One that stands in line; `generation` is another each time that it takes its stand."""

    run_id: str
    step_id: str | None
    order_us: int
    generation: str
    fn_id: str
    nth: int
    limit: int
    shown: str
    since_ms: int
    attempt: int = 0
    hop: int = 0
    woken_at_ms: int = 0

    @property
    def holder(self) -> str:
        return holder_name(self.run_id, self.step_id)

    @property
    def place_in_line(self) -> tuple[int, str]:
        return self.order_us, self.holder


def holder_name(run_id: str, step_id: str | None) -> str:
    """Who holds a place: a turn of a run, or one of its planned steps."""
    return run_id if step_id is None else f"{run_id}#{step_id}"


def claims(fn_id: str, flow: Flow | None, event: dict[str, Any]) -> tuple[tuple[Claim, ...], tuple[str, ...]]:
    """The places that a run needs which this event started, in the order in which they are to be taken; and what went
    wrong with their keys, which then are null."""
    from chalicelib.core.flow_keys import key_of

    found: dict[LimitKey, Claim] = {}
    problems = []
    for nth, limit in enumerate(() if flow is None else flow.concurrency):
        value = key_of(limit.key, event, "concurrency.key")
        if value.problem is not None:
            problems.append(f"{value.problem}; it is null for this run")
        key = _key(fn_id, limit, value.digest)
        before = found.get(key)
        if before is None or limit.limit < before.limit:
            found[key] = Claim(key, limit.limit, nth, "" if limit.key is None else value.text)
    return tuple(sorted(found.values(), key=lambda claim: claim.key.rank)), tuple(problems)


def _key(fn_id: str, limit: Concurrency, value: str) -> LimitKey:
    """`value`: the digest of the key's value. Functions share by the value alone; of one function, limits by different
    expressions have places of their own."""
    if limit.scope != "fn":
        return LimitKey(digest=value[:_DIGEST_CHARS])
    own = hashlib.sha256(f"{limit.key or ''}\x00{value}".encode()).hexdigest()
    return LimitKey(fn_id=fn_id, digest=own[:_DIGEST_CHARS])


def _evaluated(expression: str | None, event: dict[str, Any]) -> tuple[Any, str | None]:
    if expression is None:
        return None, None
    from chalicelib.core.expressions import compile_expression

    try:
        result = compile_expression(expression, roots=_ROOTS).evaluate({"event": event})
    except UserError as error:
        return None, str(error)
    return result.value, result.error


def order_us(flow: Flow | None, event: dict[str, Any], accepted_at_us: int) -> tuple[int, str | None]:
    """Where a run stands among those that wait; and what went wrong with its priority, which then is 0."""
    expression = None if flow is None or flow.priority is None else flow.priority.run
    value, problem = _evaluated(expression, event)
    if problem is None and value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        problem = "it gives no number"
    if problem is not None or value is None or value != value:
        return accepted_at_us, None if problem is None else f"priority {expression!r} is 0 for this run: {problem}"
    ahead_s = max(-MAX_PRIORITY_S, min(MAX_PRIORITY_S, value))
    return accepted_at_us - round(ahead_s * 1_000_000), None


def free_places(slots: Iterable[Slot], limit: int, now_ms: int) -> int:
    """How many places are left. All that are held count, also those beyond a limit that was lowered."""
    return max(0, limit - sum(slot.is_live(now_ms) for slot in slots))


def held_by(slots: Iterable[Slot], holder: str) -> Slot | None:
    """The place that it holds already, live or not: an earlier delivery of its message died with it."""
    return next((slot for slot in slots if slot.holder == holder), None)


def free_index(slots: Collection[Slot], limit: int, ahead: int, now_ms: int) -> int | None:
    """Which place may be taken by whom so many in line are ahead of; None when it has to wait."""
    if free_places(slots, limit, now_ms) <= ahead:
        return None
    taken = {slot.index for slot in slots if slot.is_live(now_ms)}
    return next(index for index in range(limit) if index not in taken)


def to_wake(
    slots: Collection[Slot], line: Sequence[Waiter], limit_of: Callable[[Waiter], int], now_ms: int
) -> list[Waiter]:
    """Of the beginning of a line those who would find a place if they came now, and were not woken just now."""
    return [
        waiter
        for ahead, waiter in enumerate(line)
        if free_places(slots, limit_of(waiter), now_ms) > ahead and waiter.woken_at_ms + WAKE_AGAIN_MS <= now_ms
    ]
