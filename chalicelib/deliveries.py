"""Queue messages as Lambda hands them over: each is handled by itself, fails by itself, and comes back soon by itself
(law 3)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from typing import Any

from chalicelib.aws.queues import unpack
from chalicelib.core.errors import Deferred, InfrastructureError, StepwellError, UserError
from chalicelib.core.letters import Note, reason_of
from chalicelib.core.messages import (
    CancellationMessage,
    JoinDueMessage,
    LookBackMessage,
    MatchPageMessage,
    ReplayMessage,
    ResumeMessage,
    TurnMessage,
    event_queue_messages,
    read,
    work_messages,
)
from chalicelib.core.metrics import Metric
from chalicelib.engine import (
    bridge,
    cancellations,
    joining,
    match_pages,
    pausing,
    planned_steps,
    process_event,
    replays_of_many,
    stalling,
    start,
    timeouts,
    turns,
)
from chalicelib.engine.operator_ports import SourceQueue
from chalicelib.engine.ports import QueueName
from chalicelib.engine.services import Delivery, logger
from chalicelib.wiring import Platform

_LONGEST_BACKOFF_S = 30
_FALLBACK_TIME_MS = 60_000
# With less than this left, no further message of a batch is begun: a timeout would acknowledge none of them.
_RESERVE_MS = 15_000
# A message that came so often may be one that kills its process.
_SUSPICIOUS_RECEIVES = 3


class BatchFailed(StepwellError):
    """Messages stay on the queue."""


class GivenUp(StepwellError):
    """A message came for the last time."""


class NotBegun(Deferred):
    """The invocation's time ran short before a message of its batch was begun."""


def backoff_s(receives: int) -> int:
    """When a message that met a fault comes back: 1, 2, 4, … 30 seconds."""
    return int(min(2 ** max(receives - 1, 0), _LONGEST_BACKOFF_S))


def on_events(platform: Platform, event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The events queue's handler."""
    with platform.invocation():
        return _each(platform, event, context, QueueName.EVENTS, _handle_event)


def on_work(platform: Platform, event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The work queue's handler."""
    with platform.invocation():
        return _each(platform, event, context, QueueName.WORK, _handle_work)


def _handle_event(platform: Platform, body: str, delivery: Delivery) -> None:
    if bridge.is_envelope(body):
        try:
            message = bridge.read(body, delivery.sent_at_ms)
        except UserError as error:
            # The sender's mistake: told, and not tried again.
            logger.error("event from the bus refused", extra={"reason": str(error)})
            platform.metrics.count(Metric.EVENTS_REFUSED)
            return
        process_event.process(platform.services, message)
        return
    queued = read(event_queue_messages, body)
    if isinstance(queued, LookBackMessage):
        start.go_on(platform.services, queued)
    elif isinstance(queued, MatchPageMessage):
        match_pages.go_on(platform.services, queued, is_first=delivery.receives == 1)
    elif isinstance(queued, CancellationMessage):
        cancellations.go_on(platform.services, queued, delivery)
    elif isinstance(queued, ReplayMessage):
        replays_of_many.go_on(platform.services, queued, delivery)
    elif isinstance(queued, ResumeMessage):
        pausing.go_on(platform.services, platform.room.apps, queued)
    else:
        process_event.process(platform.services, queued)


def _handle_work(platform: Platform, body: str, delivery: Delivery) -> None:
    message = read(work_messages, body)
    if delivery.receives == 1:
        age_ms = platform.clock.now_ms() - max(delivery.sent_at_ms, message.due_ms or 0)
        platform.metrics.observe(Metric.WORK_AGE, max(0, age_ms))
    if isinstance(message, JoinDueMessage):
        # No user code runs for it.
        joining.come_due(platform.services, message)
        return
    if delivery.is_last(platform.services.settings):
        # No user code any more: whatever kills the process would keep the message from being told of.
        raise GivenUp(stalling.stall(platform.services, message, delivery))
    try:
        if isinstance(message, TurnMessage) and message.timeout is not None:
            timeouts.handle(platform.services, message)
        elif isinstance(message, TurnMessage):
            turns.handle(platform.services, message, delivery)
        else:
            planned_steps.handle(platform.services, message, delivery)
    except Exception as error:
        stalling.note_fault(platform.services, message.run_id, delivery, error)
        raise


def _each(
    platform: Platform,
    event: dict[str, Any],
    context: Any,
    queue: SourceQueue,
    handle: Callable[[Platform, str, Delivery], None],
) -> dict[str, Any]:
    records = sorted(event["Records"], key=_by_urgency)
    # What killed a process may do so again: what was handled before it must not come back with it each time.
    one_by_one = len(records) > 1 and _receives(records[0]) >= _SUSPICIOUS_RECEIVES
    queue_url = platform.config.queue_events_url if queue is QueueName.EVENTS else platform.config.queue_work_url
    failed: dict[str, str] = {}
    for record in records:
        delivery = _delivery(platform, record, context)
        try:
            if record is not records[0] and delivery.deadline_ms - platform.clock.now_ms() < _RESERVE_MS:
                raise NotBegun("the batch's time ran short before this message", visible_in_s=1)
            handle(platform, unpack(record["body"], platform.room.payloads), delivery)
        except Exception as error:
            if not _is_over(platform, queue, record, delivery, error):
                failed[record["messageId"]] = str(error)
                _put_back(platform, queue_url, record, delivery, error)
                continue
        if one_by_one:
            _acknowledge(platform, queue_url, record)
    if not failed:
        return {"batchItemFailures": []}
    if platform.config.partial_batches and len(failed) < len(records):
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
    # Without partial batch responses an answer would acknowledge all of them, and an error none.
    for record in records:
        if record["messageId"] not in failed:
            platform.room.queues.delete(queue_url, record["receiptHandle"])
    raise BatchFailed(f"{len(failed)} of {len(records)} messages stay on the queue: {next(iter(failed.values()))}")


def _receives(record: dict[str, Any]) -> int:
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))


def _by_urgency(record: dict[str, Any]) -> tuple[int, str]:
    """Those that came most often first: time may run short behind them. Where one of them may break everything, each
    delivery has another order, so that it does not stand before the same ones each time."""
    receives = _receives(record)
    if receives < _SUSPICIOUS_RECEIVES:
        return -receives, ""
    return -receives, hashlib.sha256(f"{receives}{record['messageId']}".encode()).hexdigest()


def _acknowledge(platform: Platform, queue_url: str, record: dict[str, Any]) -> None:
    try:
        platform.room.queues.delete(queue_url, record["receiptHandle"])
    except InfrastructureError as problem:
        logger.warning("a handled message could not be deleted yet", extra={"error": str(problem)})


def _is_over(
    platform: Platform, queue: SourceQueue, record: dict[str, Any], delivery: Delivery, error: Exception
) -> bool:
    """Whether nothing is left of a message that failed: it is among the dead letters, or goes on as a copy."""
    if isinstance(error, NotBegun) and delivery.is_last(platform.services.settings):
        # Nobody has tried it: it begins anew. Sent before this one is acknowledged (law 1).
        try:
            platform.room.queues.send_anew(queue, record["body"])
        except InfrastructureError as fault:
            logger.warning("a message that was not begun could not be sent anew", extra={"error": str(fault)})
            return False
        return True
    return _put_among_the_dead(platform, queue, record, delivery, error)


def _delivery(platform: Platform, record: dict[str, Any], context: Any) -> Delivery:
    remaining = context.get_remaining_time_in_millis() if context is not None else _FALLBACK_TIME_MS
    attributes = record.get("attributes", {})
    return Delivery(
        message_id=record["messageId"],
        nonce=uuid.uuid4().hex,
        receives=_receives(record),
        deadline_ms=platform.clock.now_ms() + remaining,
        sent_at_ms=int(attributes.get("SentTimestamp", platform.clock.now_ms())),
    )


def _put_among_the_dead(
    platform: Platform, queue: SourceQueue, record: dict[str, Any], delivery: Delivery, error: Exception
) -> bool:
    """Tell of a message that failed in its last delivery, and why; whether that was done. Only then is it acknowledged:
    dying in between leaves a second copy, which is handled like any redelivery."""
    if not delivery.is_last(platform.services.settings):
        return False
    platform.metrics.count(Metric.DEAD_LETTERED)
    reason = reason_of(error)
    told = {"message_id": delivery.message_id, "receives": delivery.receives, "reason": reason}
    note = Note(reason=reason, receives=delivery.receives, first_sent_at_ms=delivery.sent_at_ms)
    try:
        platform.room.dead_letters.put(queue, record["body"], note.attributes())
    except InfrastructureError as fault:
        logger.error("the queue moves a message to the dead letters without its reason", extra=told)
        logger.warning("dead letter could not be written", extra={"error": str(fault)})
        return False
    known = isinstance(error, InfrastructureError | GivenUp | Deferred)
    logger.error("message went to the dead letters", exc_info=None if known else error, extra=told)
    return True


def _put_back(platform: Platform, queue_url: str, record: dict[str, Any], delivery: Delivery, error: Exception) -> None:
    if isinstance(error, Deferred):
        after_s = error.visible_in_s
        logger.info("message deferred", extra={"reason": str(error), "in_s": after_s})
    else:
        after_s = backoff_s(delivery.receives)
        platform.metrics.count(Metric.DELIVERIES_FAILED)
        known = isinstance(error, InfrastructureError | GivenUp)
        logger.error(
            "message stays on the queue",
            exc_info=None if known else error,
            extra={
                "message_id": delivery.message_id,
                "receives": delivery.receives,
                "error": str(error),
                "in_s": after_s,
            },
        )
    try:
        platform.room.queues.come_back(queue_url, record["receiptHandle"], after_s)
    except InfrastructureError as problem:
        logger.warning("visibility could not be set", extra={"error": str(problem)})
