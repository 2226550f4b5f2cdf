"""A run begins: its head with its cancellations in one write, a look back for what would have cancelled it, a turn."""

from __future__ import annotations

from chalicelib.core import ids, limits
from chalicelib.core.errors import InvalidExpression
from chalicelib.core.events import Event
from chalicelib.core.functions import CancelOn, FunctionConfig
from chalicelib.core.matching import Condition, condition_holds, plan_wait
from chalicelib.core.messages import TurnMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.pauses import Pause, PauseKind, counts_for
from chalicelib.core.records import EventTimes, Start
from chalicelib.core.runs import Invoker, RunHead, RunSeed
from chalicelib.core.steps import PauseKey
from chalicelib.engine import match, settle
from chalicelib.engine.services import Services, logger


def begin(
    s: Services, event: Event, planned: Start, times: EventTimes, *, invoker: Invoker | None, cron: str | None
) -> None:
    """Create the run, if absent, and send its first turn, unless it has begun."""
    config = s.catalog.get(planned.fn_id)
    now = s.clock.now_ms()
    cancels, warnings, refused = _cancellations(config, event, planned.run_id, now)
    for pause in cancels:
        s.pauses.note_shape(pause.event_name, pause.shape, pause.accept_until_ms)
    seed = RunSeed(
        run_id=planned.run_id,
        fn_id=planned.fn_id,
        event_id=event.internal_id,
        event_name=event.name,
        trigger_received_at_us=event.received_at_us,
        created_at_ms=now,
        invoker=invoker,
        cron=cron,
        cancels=tuple(pause.key for pause in cancels),
        warnings=warnings,
    )
    head = s.runs.create(seed, event, cancels, times)
    if head.seed is seed:
        s.metrics.count(Metric.RUNS_STARTED)
        s.metrics.count(Metric.INVALID_EXPRESSIONS, refused)
    if head.begun_at_ms is not None:
        return
    if head.ending is not None:
        settle.settle(s, head.run_id)
        return
    logger.info(
        "run created",
        extra={"run_id": head.run_id, "function_id": head.seed.fn_id, "event_id": event.internal_id},
    )
    if not _was_cancelled_before(s, head, cancels):
        s.queues.send_work(TurnMessage(run_id=head.run_id))


def _cancellations(
    config: FunctionConfig | None, event: Event, run_id: str, now_ms: int
) -> tuple[list[Pause], tuple[str, ...], int]:
    """The run's cancellation pauses, warnings about their conditions, and how many cannot be used."""
    pauses: list[Pause] = []
    warnings: list[str] = []
    refused = 0
    for number, cancel in enumerate(config.cancel if config is not None else ()):
        try:
            plan = plan_wait(cancel.event, cancel.if_exp, event.payload())
        except InvalidExpression as error:
            # Checked when the function was registered: what is left are values of this event that are too large.
            warnings.append(f"cancel on {cancel.event} cannot be used for this run: {error}")
            refused += 1
            continue
        warnings += [f"cancel on {cancel.event}: {text}" for text in plan.warnings]
        for index, row in enumerate(plan.rows):
            pauses.append(
                Pause(
                    key=PauseKey(key=row.key, row=f"{run_id}#cancel-{number}#{index}"),
                    kind=PauseKind.CANCEL,
                    run_id=run_id,
                    fn_id=config.id if config is not None else "",
                    event_name=cancel.event,
                    shape=row.shape.paths,
                    if_exp=cancel.if_exp,
                    condition=None if plan.condition is None else plan.condition.to_json(),
                    trigger_event_id=event.internal_id,
                    accept_after_us=event.received_at_us,
                    accept_until_ms=_until(cancel, now_ms),
                )
            )
    return pauses, tuple(warnings), refused


def _until(cancel: CancelOn, now_ms: int) -> int:
    timeout = cancel.timeout_ms
    # Without a timeout it lives as long as the run; a row that outlived its run by years would be of no use.
    return now_ms + (timeout if timeout is not None else 2 * limits.MAX_WAIT_MS)


def _was_cancelled_before(s: Services, head: RunHead, cancels: list[Pause]) -> bool:
    """Look back for a cancelling event that was accepted after the trigger and processed before the run existed.

    The event's record is written before it reads the index, and the pauses before we look here: one of the two sees
    the other (law 6).
    """
    since = ids.position(head.seed.trigger_received_at_us // 1000)
    until = ids.position(s.clock.now_ms() + limits.CLOCK_SKEW_MS)
    for name in dict.fromkeys(pause.event_name for pause in cancels):
        rows = [pause for pause in cancels if pause.event_name == name]
        position: str | None = since
        while position is not None:
            page = s.events.page(name, after=position, before=until, limit=100, newest_first=False)
            for record in page.records:
                if any(_cancels(pause, record.event) for pause in rows):
                    match.cancel(s, head.run_id, record.event)
                    return True
            position = page.next_position
    return False


def _cancels(pause: Pause, event: Event) -> bool:
    if not counts_for(pause, event):
        return False
    condition = None if pause.condition is None else Condition.from_json(pause.condition)
    result = condition_holds(condition, event.payload())
    return result.error is None and result.value is True
