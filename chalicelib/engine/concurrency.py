"""Places under limits, and the lines before them: taken before a function is entered, given back when its invocation
has done what it could (docs/CONCURRENCY.md, "The protocol"; the rule is core.concurrency).

Nobody polls. Who gives a place back looks afterwards, and wakes whom it is for; who takes a stand in line looks
afterwards, and so sees a place that came free meanwhile. One of the two sees the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.core import concurrency as rule
from chalicelib.core.concurrency import Claim, LimitKey, Slot, Waiter, Woken
from chalicelib.core.errors import InfrastructureError
from chalicelib.core.events import Event
from chalicelib.core.functions import FunctionConfig
from chalicelib.core.messages import PlannedStepMessage, TurnMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.runs import Run, RunSeed
from chalicelib.engine import lines
from chalicelib.engine.services import Services, logger


@dataclass(frozen=True)
class _Standing:
    """For whom a place is taken: a turn of a run, or one of its planned steps."""

    run_id: str
    step_id: str | None
    fn_id: str
    order_us: int
    attempt: int
    hop: int

    @property
    def holder(self) -> str:
        return rule.holder_name(self.run_id, self.step_id)

    @property
    def place_in_line(self) -> tuple[int, str]:
        return self.order_us, self.holder


class Places:
    """The places of one delivery of a message: one under each limit of its function, or none at all where nothing
    limits it, which costs nothing."""

    def __init__(
        self,
        s: Services,
        claims: tuple[Claim, ...],
        standing: _Standing,
        nonce: str,
        until_ms: int,
        woken: Woken | None,
    ) -> None:
        self._s = s
        self._claims = claims
        self._me = standing
        self._nonce = nonce
        self._until_ms = until_ms
        self._stands = 0
        self._held: list[tuple[Claim, Slot]] = []
        # Where this one stands, or may stand: the message says from where it was woken.
        self._lines: dict[tuple[LimitKey, tuple[int, str]], None] = {}
        if woken is not None:
            self._lines[woken.key, (woken.order_us, standing.holder)] = None

    @property
    def are_limited(self) -> bool:
        """Whether there is anything to take, or to leave."""
        return bool(self._claims or self._lines or self._paused())

    @property
    def are_paused(self) -> bool:
        """Whether this one stands in line until its function is resumed."""
        return any(key.is_pause for key, _ in self._lines)

    def _paused(self) -> Claim | None:
        """As far as is known; while it is so, no place is taken."""
        fn_id = self._me.fn_id
        return rule.pause_claim(fn_id) if lines.is_held(self._s, fn_id) else None

    def enter(self, give_up: Callable[[], bool]) -> bool:
        """Take a place under each limit; False when this one now stands in line.

        `give_up` gives back the lease under which this happens; it returns False when there is news for the lease's
        holder, who then tries again: the news may be that a place is free.
        """
        while True:
            full = self._paused() or self._take_all()
            if full is None:
                self._leave_lines()
                return True
            if self._stand(full) and give_up():
                if not full.key.is_pause:
                    self._s.metrics.count(Metric.WAITED_IN_LINE)
                return False

    def _take_all(self) -> Claim | None:
        """None when all places are had; else what is full, and nothing is held."""
        for claim in self._claims:
            if not self._take(claim):
                self.give_back()
                return claim
        return None

    def _take(self, claim: Claim) -> bool:
        while True:
            slots = self._s.lines.slots(claim.key)
            now = self._s.clock.now_ms()
            mine = rule.held_by(slots, self._me.holder)
            if mine is not None:
                # Whoever died with it may not have come to leave the line.
                self._lines[claim.key, self._me.place_in_line] = None
                slot = self._slot(mine.index)
                taken = self._s.lines.take_over(claim.key, slot)
            else:
                index = self._free_index(claim, slots, now)
                if index is None:
                    return False
                slot = self._slot(index)
                taken = self._s.lines.take(claim.key, slot, now)
            if taken:
                self._held.append((claim, slot))
                return True
            # Another was faster: look again.

    def _slot(self, index: int) -> Slot:
        return Slot(index, self._me.holder, self._nonce, self._until_ms)

    def _free_index(self, claim: Claim, slots: list[Slot], now_ms: int) -> int | None:
        """Which place may be taken now, after a look at who is ahead."""
        free = rule.free_places(slots, claim.limit, now_ms)
        if not free:
            return None
        upto = self._me.place_in_line
        line = self._s.lines.waiters(claim.key, limit=min(free + 1, rule.MAX_LOOKED_AT), upto=upto)
        if line and line[-1].place_in_line == upto:
            self._lines[claim.key, upto] = None
            line.pop()
        elif len(line) == rule.MAX_LOOKED_AT:
            return None
        return rule.free_index(slots, claim.limit, len(line), now_ms)

    def _stand(self, claim: Claim) -> bool:
        """Stand in line, then look: False when a place is free by now."""
        me, now = self._me, self._s.clock.now_ms()
        self._stands += 1
        waiter = Waiter(
            run_id=me.run_id,
            step_id=me.step_id,
            order_us=me.order_us,
            generation=f"{self._nonce}.{self._stands}",
            fn_id=me.fn_id,
            nth=claim.nth,
            limit=claim.limit,
            shown=claim.shown,
            since_ms=now,
            attempt=me.attempt,
            hop=me.hop,
        )
        self._s.lines.stand(claim.key, waiter)
        here = claim.key, me.place_in_line
        self._lines[here] = None
        if claim.key.is_pause:
            if not lines.is_held(self._s, me.fn_id, anew=True):
                return False
            self._leave_lines(but=here)
            return True
        slots = self._s.lines.slots(claim.key)
        if rule.held_by(slots, me.holder) is not None:
            return False
        if self._free_index(claim, slots, self._s.clock.now_ms()) is not None:
            return False
        lines.wake(self._s, claim.key, claim.limit, but=me.holder)
        # In one line only: who stands first in another would keep a place free there that it cannot take.
        self._leave_lines(but=here)
        return True

    def _leave_lines(self, but: tuple[LimitKey, tuple[int, str]] | None = None) -> None:
        held = {claim.key for claim, _ in self._held}
        for line in [line for line in self._lines if line != but]:
            key, place_in_line = line
            self._s.lines.leave(key, place_in_line)
            del self._lines[line]
            if key not in held and not key.is_pause:
                # It was woken for a place that it does not take.
                lines.wake(self._s, key, self._limit(key))

    def _limit(self, key: LimitKey) -> int | None:
        return next((claim.limit for claim in self._claims if claim.key == key), None)

    def give_back(self) -> None:
        """Give all places back, and wake whom they are for. Nothing happens where none is held."""
        while self._held:
            claim, slot = self._held[-1]
            self._s.lines.give_back(claim.key, slot)
            lines.wake(self._s, claim.key, claim.limit)
            self._held.pop()

    def give_back_if_possible(self) -> None:
        """After a fault: what cannot be given back now runs out, and is found by the sweep."""
        try:
            self.give_back()
        except InfrastructureError:
            logger.info("a place could not be given back")

    def leave(self, *, is_over: bool = True) -> None:
        """There is nothing to do for this message: stand in line no more, and leave a place whose time ran out. What
        executes meanwhile of a run that was cancelled keeps its place. Unless the step or run `is_over`, a later
        attempt of the step keeps its stand."""
        for claim in self._claims:
            self._lines[claim.key, self._me.place_in_line] = None
        for key, place_in_line in self._lines:
            self._s.lines.leave(key, place_in_line, None if is_over else self._me.attempt)
            if key.is_pause:
                continue
            mine = rule.held_by(self._s.lines.slots(key), self._me.holder)
            if mine is not None and not mine.is_live(self._s.clock.now_ms()):
                self._s.lines.give_back(key, mine)
            lines.wake(self._s, key, self._limit(key))
        self._lines.clear()


def places(
    s: Services,
    seed: RunSeed,
    event: Event,
    message: TurnMessage | PlannedStepMessage,
    nonce: str,
    until_ms: int,
) -> Places:
    """What a message of this run needs."""
    config = s.catalog.get(seed.fn_id)
    claims, order_us = _claims(config, event, seed)
    standing = _Standing(
        run_id=seed.run_id,
        step_id=message.step_id if isinstance(message, PlannedStepMessage) else None,
        fn_id=seed.fn_id,
        order_us=order_us,
        attempt=message.attempt if isinstance(message, PlannedStepMessage) else 0,
        hop=message.hop if isinstance(message, TurnMessage) else 0,
    )
    return Places(s, claims, standing, nonce, until_ms, message.woken)


def is_limited(config: FunctionConfig | None) -> bool:
    """Whether runs of this function need places."""
    return config is not None and config.flow is not None and bool(config.flow.concurrency)


def _claims(config: FunctionConfig | None, event: Event, seed: RunSeed) -> tuple[tuple[Claim, ...], int]:
    if config is None or not is_limited(config):
        return (), seed.from_us
    payload = event.payload()
    claims, _ = rule.claims(config.id, config.flow, payload)
    order_us, _ = rule.order_us(config.flow, payload, seed.from_us)
    return claims, order_us


def problems(config: FunctionConfig | None, event: Event) -> tuple[str, ...]:
    """What is wrong with the keys and the priority of a run that this event starts."""
    if config is None or not is_limited(config):
        return ()
    payload = event.payload()
    _, of_keys = rule.claims(config.id, config.flow, payload)
    _, of_order = rule.order_us(config.flow, payload, 0)
    return of_keys if of_order is None else (*of_keys, of_order)


def pass_by(s: Services, seed: RunSeed | None, message: TurnMessage | PlannedStepMessage) -> None:
    """A message found its run ended or gone, or came for the last time: nobody may wait for it."""
    if seed is not None and is_limited(s.catalog.get(seed.fn_id)):
        event = s.runs.trigger_event(seed.run_id)
        if event is not None:
            places(s, seed, event, message, "", 0).leave()
            return
    if message.woken is not None:
        step_id = message.step_id if isinstance(message, PlannedStepMessage) else None
        standing = _Standing(message.run_id, step_id, "", message.woken.order_us, 0, 0)
        Places(s, (), standing, "", 0, message.woken).leave()


def leave_lines(s: Services, run: Run) -> None:
    """A run was ended from outside: neither it nor its planned steps stand in line any more. Whoever was woken of them
    looks for those behind when its message comes."""
    fn_id = run.head.seed.fn_id
    claims, order_us = _claims(s.catalog.get(fn_id), run.event, run.head.seed)
    if lines.is_held(s, fn_id):
        claims = (*claims, rule.pause_claim(fn_id))
    under_way = [step.id for step in run.steps.values() if step.plan.planned and not step.status.is_final]
    for claim in claims:
        for step_id in (None, *under_way):
            s.lines.leave(claim.key, (order_us, rule.holder_name(run.head.run_id, step_id)))
