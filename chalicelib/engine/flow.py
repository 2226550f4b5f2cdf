"""Flow control where an event would start a run, before its record is written: the record keeps what was decided
here, so each decision may be made again as long as it finds itself."""

from __future__ import annotations

from chalicelib.core import idempotency, limits, rate_limits, throttling
from chalicelib.core.calls import ErrorInfo
from chalicelib.core.clock import to_iso
from chalicelib.core.durations import parse_duration
from chalicelib.core.events import Event
from chalicelib.core.flow_control import Flow
from chalicelib.core.flow_keys import FlowKey, key_of
from chalicelib.core.functions import FunctionConfig
from chalicelib.core.joining import Join, JoinKind
from chalicelib.core.matching import trigger_matches
from chalicelib.core.messages import TurnMessage
from chalicelib.core.rate_limits import Rate, Starts
from chalicelib.core.records import Start
from chalicelib.core.runs import Hold, Invoker
from chalicelib.core.singletons import Holder
from chalicelib.core.steps import Cause, CauseKind, StepKind, StepOutcome, StepPlan, StepStatus
from chalicelib.core.throttling import Pace, Schedule
from chalicelib.engine import cells, cleanup, concurrency, holders, metrics
from chalicelib.engine.cells import Change
from chalicelib.engine.flow_ports import CellKey, Mechanism
from chalicelib.engine.services import Services

NOT_STARTED = "FunctionNotStarted"


def admit(s: Services, config: FunctionConfig | None, event: Event, planned: Start) -> Start:
    """The start as flow control leaves it: as it is, or skipped with the reason."""
    if config is None or config.flow is None or not planned.is_live:
        return planned
    return _Admission(s, config, config.flow, event).decide(planned)


def pace(s: Services, event: Event, planned: Start) -> Start:
    """The start of a run that a debounce or a batch became: the time that a throttle gives it, and what it holds."""
    config = s.catalog.get(planned.fn_id)
    if config is None or config.flow is None:
        return planned
    return _Admission(s, config, config.flow, event).begin(planned)


def give_back_key(s: Services, config: FunctionConfig | None, event: Event, run_id: str) -> None:
    """Free the idempotency key of an event if this run, which is not to be, claimed it."""
    expression = None if config is None or config.flow is None else config.flow.idempotency
    if config is None or expression is None:
        return
    key = key_of(expression, event.payload(), "idempotency")
    cells.remove_if(
        s,
        CellKey(Mechanism.IDEMPOTENCY, config.id, key.digest),
        lambda text: idempotency.Claim.model_validate_json(text).run_id == run_id,
    )


class _Admission:
    """One start. What is decided first is kept, though what comes later may be against it."""

    def __init__(self, s: Services, config: FunctionConfig, flow: Flow, event: Event) -> None:
        self._s = s
        self._config = config
        self._flow = flow
        self._event = event
        self._payload = event.payload()
        self._notes: list[str] = []

    def decide(self, planned: Start) -> Start:
        skipped = self._idempotency(planned) or self._rate_limit(planned)
        if skipped is not None:
            return planned.model_copy(update={"skipped": skipped, "notes": tuple(self._notes)})
        join = self._debounce() or self._batch()
        if join is not None:
            return planned.model_copy(update={"join": join, "notes": tuple(self._notes)})
        return self.begin(planned)

    def begin(self, planned: Start) -> Start:
        """What holds for a run that is to be there, of one event or of several."""
        hold, skipped = None, None
        if self._flow.debounce is None or (self._flow.singleton is not None and self._flow.singleton.mode == "cancel"):
            # Else the newest of many events would be lost to whichever run is there when they fall due.
            hold, skipped = self._singleton(planned)
        # Last: a start that is skipped takes no time from the others.
        not_before_ms = None
        if skipped is None:
            not_before_ms = self._throttle(planned)
            self._notes += concurrency.problems(self._config, self._event)
        changes = {"skipped": skipped, "not_before_ms": not_before_ms, "hold": hold, "notes": tuple(self._notes)}
        return planned.model_copy(update=changes)

    def _key(self, expression: str | None, field: str, without: str = "it counts as null") -> FlowKey:
        key = key_of(expression, self._payload, field)
        if key.problem is not None:
            self._notes.append(f"{key.problem}; {without}")
        return key

    def _idempotency(self, planned: Start) -> str | None:
        if self._flow.idempotency is None:
            return None
        key = self._key(self._flow.idempotency, "idempotency", "it does not hold for this event")
        if key.problem is not None:
            return None
        if key.is_null:
            # It would make one of all events that lack what the key is made of.
            self._notes.append("idempotency is null; it does not hold for this event")
            return None
        now = self._s.clock.now_ms()

        def rule(text: str | None) -> Change[idempotency.Claim]:
            held = None if text is None else idempotency.Claim.model_validate_json(text)
            claim = idempotency.claim(held, planned.run_id, now)
            return Change(claim, None if claim is held else claim.model_dump_json(), claim.until_ms)

        cell = CellKey(Mechanism.IDEMPOTENCY, planned.fn_id, key.digest)
        claim = cells.decide(self._s, cell, rule, expects_none=True)
        if claim.run_id == planned.run_id:
            return None
        if self._flow.debounce is not None:
            # The one before it has joined a debounce, and may have been overtaken.
            return f"an event with the idempotency key {key.text} came before within 24 hours"
        return f"the idempotency key {key.text} already started run {claim.run_id} within 24 hours"

    def _rate_limit(self, planned: Start) -> str | None:
        limit = self._flow.rate_limit
        if limit is None or self._flow.idempotency is not None:
            return None
        key = self._key(limit.key, "rateLimit.key")
        rate = Rate(limit.limit, parse_duration(limit.period))
        now = self._s.clock.now_ms()

        def rule(text: str | None) -> Change[str | None]:
            known = Starts() if text is None else Starts.model_validate_json(text)
            after = rate_limits.start(known, rate, planned.run_id, now)
            if after is None:
                return Change(to_iso(rate_limits.next_start_ms(known, rate, now)))
            return Change(None, None if after is known else after.model_dump_json(), now + 2 * rate.period_ms)

        until = cells.decide(self._s, CellKey(Mechanism.RATE_LIMIT, planned.fn_id, key.digest), rule)
        if until is None:
            return None
        of_key = "" if limit.key is None else f" for the key {key.text}"
        return f"the rate limit of {limit.limit} in {limit.period}{of_key} was reached, until {until}"

    def _singleton(self, planned: Start) -> tuple[Hold | None, str | None]:
        """What the run holds, or why there is none."""
        singleton = self._flow.singleton
        if singleton is None:
            return None, None
        key = self._key(singleton.key, "singleton.key", "it does not hold for this event")
        if key.problem is not None:
            return None, None
        hold = Hold(mode=singleton.mode, digest=key.digest)
        if hold.mode == "cancel":
            return hold, None
        me = Holder(run_id=planned.run_id, event_id=self._event.internal_id, since_ms=self._s.clock.now_ms())
        holder = holders.claim(self._s, planned.fn_id, hold, me)
        if holder is None:
            return hold, None
        of_key = "" if singleton.key is None else f" of the key {key.text}"
        return None, f"run {holder.run_id}{of_key} has not ended: the function is a singleton"

    def _debounce(self) -> Join | None:
        debounce = self._flow.debounce
        if debounce is None:
            return None
        key = self._key(debounce.key, "debounce.key")
        return Join(
            kind=JoinKind.DEBOUNCE,
            digest=key.digest,
            key=None if debounce.key is None else key.text,
            period_ms=parse_duration(debounce.period),
            longest_ms=None if debounce.timeout is None else parse_duration(debounce.timeout),
        )

    def _batch(self) -> Join | None:
        batch = self._flow.batch_events
        if batch is None:
            return None
        fits, problem = trigger_matches(batch.if_exp, self._payload)
        if problem is not None:
            self._notes.append(f"batchEvents.if could not be evaluated: {problem}; the event starts a run of its own")
        if not fits:
            return None
        key = self._key(batch.key, "batchEvents.key")
        return Join(
            kind=JoinKind.BATCH,
            digest=key.digest,
            key=None if batch.key is None else key.text,
            period_ms=parse_duration(batch.timeout),
            max_size=batch.max_size,
        )

    def _throttle(self, planned: Start) -> int | None:
        """When the run may begin; None for at once."""
        throttle = self._flow.throttle
        if throttle is None:
            return None
        key = self._key(throttle.key, "throttle.key")
        pace = Pace(throttle.limit, parse_duration(throttle.period), throttle.burst)
        now = self._s.clock.now_ms()

        def rule(text: str | None) -> Change[int]:
            known = Schedule() if text is None else Schedule.model_validate_json(text)
            slot = throttling.slot(known, pace, planned.run_id, now)
            after = None if slot.schedule is known else slot.schedule.model_dump_json()
            # As long as it says anything: until the pace would have been kept, and a message may still come back.
            return Change(slot.start_ms, after, slot.schedule.tat_us // 1_000 + limits.DAY_MS)

        start_ms = cells.decide(self._s, CellKey(Mechanism.THROTTLE, planned.fn_id, key.digest), rule)
        return None if start_ms <= now else start_ms


def refuse_invoker(s: Services, planned: Start, invoker: Invoker, at_ms: int) -> None:
    """Tell the step that invoked a function that no run of it was started."""
    reason = planned.why_not(None)
    error = ErrorInfo.of(NOT_STARTED, f"the function {planned.fn_id} was not started: {reason}")
    # The invocation is sent before the invoker's step is recorded, so the answer may come first and is put for it.
    plan = StepPlan(
        name=invoker.step_name or planned.fn_id,
        kind=StepKind.INVOKE,
        started_at_ms=at_ms,
        invokes=planned.fn_id,
        invoked_run=planned.run_id,
    )
    outcome = StepOutcome(ended_at_ms=s.clock.now_ms(), error=error, cause=Cause(kind=CauseKind.RUN, id=planned.run_id))
    stored = s.runs.complete(invoker.run_id, invoker.step_id, outcome, plan)
    if stored.outcome is outcome:
        metrics.step_ended(s, stored, is_ours=True)
    cleanup.remove_timer(s, stored if stored.status is not StepStatus.WAITING else None)
    s.queues.send_work(TurnMessage(run_id=invoker.run_id))
