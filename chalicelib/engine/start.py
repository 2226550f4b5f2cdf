"""A run begins: its head with its cancellations in one write, a look back for what would have cancelled it, a turn."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.core import ids, limits
from chalicelib.core.durations import parse_duration
from chalicelib.core.errors import InvalidExpression
from chalicelib.core.events import Event
from chalicelib.core.functions import CancelOn, FunctionConfig
from chalicelib.core.joining import Gathered
from chalicelib.core.matching import Condition, condition_holds, plan_wait
from chalicelib.core.messages import LookBackMessage, TurnMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.pauses import Pause, PauseKind, counts_for
from chalicelib.core.records import EventTimes, Start
from chalicelib.core.runs import Invoker, RunHead, RunSeed
from chalicelib.engine import concurrency, holders, lifecycle, match, settle, singletons, timeouts, timing
from chalicelib.engine.services import Services, logger

# An event that tells a run's end is read from that whole run: of such, one message looks at fewer.
_A_RUN_IS_WORTH = 50


def begin(
    s: Services,
    event: Event,
    planned: Start,
    times: EventTimes | None,
    *,
    invoker: Invoker | None,
    cron: str | None,
    gathered: Gathered | None = None,
    rest: Sequence[Event] = (),
) -> None:
    """Create the run that an event starts, if absent, and send its first turn, unless it has begun. `gathered`: it is
    not of this one event alone; `rest`: the other events of its batch."""
    seed = RunSeed(
        run_id=planned.run_id,
        fn_id=planned.fn_id,
        event_id=event.internal_id,
        event_name=event.name,
        trigger_received_at_us=event.received_at_us,
        created_at_ms=s.clock.now_ms(),
        invoker=invoker,
        cron=cron,
        warnings=planned.notes,
        not_before_ms=planned.not_before_ms,
        hold=planned.hold,
        gathered=gathered,
    )
    create(s, seed, event, times, rest)


def create(s: Services, seed: RunSeed, event: Event, times: EventTimes | None, rest: Sequence[Event] = ()) -> RunHead:
    """Create the run, if absent, with its cancellations and timeouts, and send its first turn, unless it has begun; its
    head. `rest`: the other events of a batch."""
    config = s.catalog.get(seed.fn_id)
    cancels, warnings, refused = _cancellations(s, config, event, seed)
    for pause in cancels:
        s.pauses.note_shape(pause.event_name, pause.shape, pause.accept_until_ms)
    keys, told = tuple(pause.key for pause in cancels), (*warnings, *seed.warnings)
    seed = seed.model_copy(update={"cancels": keys, "warnings": told, **_timeouts(config)})
    head = s.runs.create(seed, event, cancels, times, gated=concurrency.is_limited(config), rest=rest)
    if head.seed is seed:
        s.metrics.count(Metric.RUNS_STARTED)
        if seed.gathered is not None or seed.original_run_id is not None:
            # Those of a run that one event started are counted with that event.
            s.metrics.count(Metric.EXPRESSION_ERRORS, len(seed.warnings) - len(warnings))
        s.metrics.count(Metric.INVALID_EXPRESSIONS, refused)
    if head.ending is not None:
        settle.settle(s, head.run_id)
        # A redelivered event may have claimed again what its run had given back.
        holders.let_go(s, head.seed)
        return head
    if head.begun_at_ms is not None:
        return head
    logger.info(
        "run created",
        extra={"run_id": head.run_id, "function_id": head.seed.fn_id, "event_id": event.internal_id},
    )
    timeouts.expect_start(s, head)
    _look_back(s, head, cancels, None)
    return head


def _timeouts(config: FunctionConfig | None) -> dict[str, int]:
    """As they are when the run is created: they are its own for good."""
    found = None if config is None or config.flow is None else config.flow.timeouts
    if found is None:
        return {}
    given = {"start_within_ms": found.start, "finish_within_ms": found.finish}
    return {name: parse_duration(text) for name, text in given.items() if text is not None}


def go_on(s: Services, message: LookBackMessage) -> None:
    """Look back further for what cancelled the run before it existed, and then drive it."""
    run = s.runs.load(message.run_id)
    if run is None or run.head.begun_at_ms is not None:
        return
    if run.head.ending is not None:
        settle.settle(s, message.run_id)
        return
    seed = run.head.seed
    cancels, _, _ = _cancellations(s, s.catalog.get(seed.fn_id), run.event, seed)
    _look_back(s, run.head, cancels, message)


def _cancellations(
    s: Services, config: FunctionConfig | None, event: Event, seed: RunSeed
) -> tuple[list[Pause], tuple[str, ...], int]:
    """The run's cancellation pauses, warnings about their conditions, and how many cannot be used."""
    pauses: list[Pause] = []
    warnings: list[str] = []
    refused = 0
    for number, cancel in enumerate(config.cancel if config is not None else ()):
        try:
            shapes = s.pauses.shapes_lately(cancel.event, seed.created_at_ms)
            plan = plan_wait(cancel.event, cancel.if_exp, event.payload(), shapes)
        except InvalidExpression as error:
            # Checked when the function was registered: what is left are values of this event that are too large.
            warnings.append(f"cancel on {cancel.event} cannot be used for this run: {error}")
            refused += 1
            continue
        warnings += [f"cancel on {cancel.event}: {text}" for text in plan.warnings]
        for row, key in plan.placed(seed.run_id, f"cancel-{number}"):
            pauses.append(
                Pause(
                    key=key,
                    kind=PauseKind.CANCEL,
                    run_id=seed.run_id,
                    fn_id=config.id if config is not None else "",
                    event_name=cancel.event,
                    shape=row.shape.paths,
                    if_exp=cancel.if_exp,
                    condition=None if plan.condition is None else plan.condition.to_json(),
                    trigger_event_id=event.internal_id,
                    accept_after_us=seed.from_us,
                    accept_until_ms=_until(cancel, seed.created_at_ms),
                )
            )
    return pauses, tuple(warnings), refused


def _until(cancel: CancelOn, now_ms: int) -> int:
    until = cancel.until_ms(now_ms)
    # Without a timeout it lives as long as the run; a row that outlived its run by years would be of no use.
    longest = now_ms + 2 * limits.MAX_WAIT_MS
    return longest if until is None else min(until, longest)


def _look_back(s: Services, head: RunHead, cancels: list[Pause], reached: LookBackMessage | None) -> None:
    """Look back for a cancelling event that was accepted after the trigger and processed before the run existed; send
    the run's first turn if there was none. What is too much for one message is left to another.

    The event's record is written before it reads the index, and the pauses before we look here: one of the two sees
    the other (law 6).
    """
    until = ids.position(head.seed.created_at_ms + limits.CLOCK_SKEW_MS)
    names = list(dict.fromkeys(pause.event_name for pause in cancels))
    if reached is not None and reached.name in names:
        names = names[names.index(reached.name) :]
    looked_at = 0
    for name in names:
        rows = [pause for pause in cancels if pause.event_name == name]
        after = ids.position(head.seed.from_us // 1000)
        if reached is not None and reached.name == name:
            after = reached.position
        for record in s.events.between(name, after=after, before=until, newest_first=False):
            if any(counts_for(pause, record.event) for pause in rows):
                event = lifecycle.whole(s, record)
                if event is not None and any(_cancels(pause, event) for pause in rows):
                    match.cancel(s, head.run_id, event)
                    return
                looked_at += 0 if record.from_run is None else _A_RUN_IS_WORTH
            looked_at += 1
            if looked_at >= s.settings.look_back_per_start:
                position = ids.event_position(record.event.internal_id, record.event.received_at_ms)
                s.queues.send_events([LookBackMessage(run_id=head.run_id, name=name, position=position)])
                return
    if singletons.take_over(s, head):
        _send_first_turn(s, head.seed)


def _send_first_turn(s: Services, seed: RunSeed) -> None:
    if seed.not_before_ms is None:
        s.queues.send_work(TurnMessage(run_id=seed.run_id))
    else:
        # The only messages for a run that has not begun are this one and its like.
        timing.schedule(s, TurnMessage(run_id=seed.run_id, due_ms=seed.not_before_ms))


def _cancels(pause: Pause, event: Event) -> bool:
    if not counts_for(pause, event):
        return False
    condition = None if pause.condition is None else Condition.from_json(pause.condition)
    result = condition_holds(condition, event.payload())
    return result.error is None and result.value is True
