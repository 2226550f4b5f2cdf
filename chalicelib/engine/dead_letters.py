"""Dead letters, looked at and redriven. SQS has no look without taking: letters are hidden from others for a moment,
and shown again. Send, then delete: dying in between leaves a second copy, which is handled like any redelivery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from chalicelib.core import limits
from chalicelib.core.clock import to_iso
from chalicelib.core.errors import InfrastructureError, NotFound, UserError
from chalicelib.core.letters import read_note
from chalicelib.core.messages import (
    CancellationMessage,
    EventMessage,
    MatchPageMessage,
    ReplayMessage,
    ResumeMessage,
    event_queue_messages,
    work_messages,
)
from chalicelib.engine import bridge
from chalicelib.engine.operator_ports import DeadLetters, Letter, SourceQueue
from chalicelib.engine.ports import QueueName
from chalicelib.engine.services import Services, logger

BOTH: tuple[SourceQueue, ...] = (QueueName.EVENTS, QueueName.WORK)
_DEAD = {QueueName.EVENTS: QueueName.DEAD_EVENTS, QueueName.WORK: QueueName.DEAD_WORK}
# Longer than any request of ours may take.
_HIDDEN_S = 30
# Letters looked through for one of them.
MAX_SEARCHED = 1_000
_PREVIEW_CHARS = 500


def letters(s: Services, dead: DeadLetters, queues: Sequence[SourceQueue], limit: int) -> dict[str, Any]:
    """Up to `limit` letters, in no order, and of each queue how many there are."""
    rows: list[dict[str, Any]] = []
    counts = {}
    for queue in queues:
        depth = s.queues.depth(_DEAD[queue])
        counts[queue.value] = {"visible": depth.visible, "in_flight": depth.in_flight, "approximate": True}
        held = _take(dead, queue, min(limit - len(rows), max(depth.visible, 1)), depth.visible)
        try:
            rows += [describe(letter) for letter in held]
        finally:
            _show_again(dead, held)
    return {"rows": rows, "counts": counts}


def _show_again(dead: DeadLetters, held: Sequence[Letter]) -> None:
    """Letters that cannot be shown now show themselves when their time is over: no reason to fail."""
    try:
        dead.show_again(held)
    except InfrastructureError as fault:
        logger.warning("dead letters stay hidden for a while", extra={"count": len(held), "error": str(fault)})


def _take(dead: DeadLetters, queue: SourceQueue, most: int, visible: int) -> list[Letter]:
    held: list[Letter] = []
    while len(held) < most:
        # Waiting asks all of SQS's servers; where nothing is to be expected there is nothing to wait for.
        wait_s = 1 if len(held) < visible else 0
        found = dead.receive(queue, most - len(held), hidden_s=_HIDDEN_S, wait_s=wait_s)
        if not found:
            break
        held += found
    return held


def redrive(s: Services, dead: DeadLetters, letter_id: str, queues: Sequence[SourceQueue]) -> dict[str, Any]:
    """Send one letter back to its queue. Raises NotFound."""
    letter = _find(s, dead, letter_id, queues)
    _send_back(dead, [letter])
    return describe(letter)


def delete(s: Services, dead: DeadLetters, letter_id: str, queues: Sequence[SourceQueue]) -> dict[str, Any]:
    """Forget one letter. Raises NotFound."""
    letter = _find(s, dead, letter_id, queues)
    dead.delete([letter])
    logger.warning("dead letter deleted", extra={"letter_id": letter.id, "queue": letter.queue.value})
    return describe(letter)


def _find(s: Services, dead: DeadLetters, letter_id: str, queues: Sequence[SourceQueue]) -> Letter:
    others: list[Letter] = []
    try:
        for queue in queues:
            unseen = s.queues.depth(_DEAD[queue]).visible
            while len(others) < MAX_SEARCHED:
                found = dead.receive(queue, 10, hidden_s=_HIDDEN_S, wait_s=1 if unseen > 0 else 0)
                unseen -= len(found)
                others += [letter for letter in found if letter.id != letter_id]
                for letter in found:
                    if letter.id == letter_id:
                        return letter
                if not found:
                    break
    finally:
        _show_again(dead, others)
    raise NotFound(
        f"there is no dead letter {letter_id!r} among the {len(others)} that could be seen; it may be in flight to "
        f"another viewer for up to {_HIDDEN_S} s, or have been redriven"
    )


def redrive_all(s: Services, dead: DeadLetters, queues: Sequence[SourceQueue], deadline_ms: int) -> dict[str, Any]:
    """Send letters back until there are none left or time is up; how many, and about how many remain."""
    redriven = 0
    began_ms = s.clock.now_ms()
    for queue in queues:
        most = s.queues.depth(_DEAD[queue]).visible
        of_queue = 0
        while s.clock.now_ms() < deadline_ms:
            held = dead.receive(queue, 10, hidden_s=_HIDDEN_S, wait_s=1 if of_queue < most else 0)
            # One that has come back since is left, or a poisoned one would go round and round.
            again = [letter for letter in held if letter.sent_at_ms > began_ms]
            _show_again(dead, again)
            fresh = [letter for letter in held if letter.sent_at_ms <= began_ms]
            if not fresh:
                break
            _send_back(dead, fresh)
            of_queue += len(fresh)
        redriven += of_queue
    remaining = sum(s.queues.depth(_DEAD[queue]).visible for queue in queues)
    return {"redriven": redriven, "remaining": remaining, "approximate": True}


def _send_back(dead: DeadLetters, held: Sequence[Letter]) -> None:
    """Raises InfrastructureError when not all of them could be sent."""
    sent = dead.send_back(held)
    dead.delete(sent)
    for letter in sent:
        logger.info("dead letter redriven", extra={"letter_id": letter.id, "queue": letter.queue.value})
    if len(sent) < len(held):
        raise InfrastructureError(f"SQS took {len(sent)} of {len(held)} letters")


def describe(letter: Letter) -> dict[str, Any]:
    """A letter as the API shows it, whatever is in it."""
    note = read_note(letter.attributes)
    return {
        "id": letter.id,
        "queue": letter.queue.value,
        **_contents(letter),
        "reason": note.reason,
        "receives": note.receives,
        "since": to_iso(note.first_sent_at_ms or letter.sent_at_ms),
        # Moved by SQS, a message keeps the time at which it was sent first.
        "died_at": to_iso(letter.sent_at_ms) if note.is_ours else None,
        "body": letter.body[:_PREVIEW_CHARS],
        "body_chars": len(letter.body),
        "payload": letter.payload_key,
    }


def _contents(letter: Letter) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": "unreadable", "run_id": None, "event_id": None, "event_name": None}
    try:
        if letter.payload_key is not None:
            return {**found, "kind": "event"}
        if letter.queue is QueueName.WORK:
            work = work_messages.validate_json(letter.body)
            return {**found, "kind": work.kind, "run_id": work.run_id}
        if bridge.is_envelope(letter.body):
            event = bridge.read(letter.body, letter.sent_at_ms).event
            return {**found, "kind": "eventbridge", "event_id": event.internal_id, "event_name": event.name}
        message = event_queue_messages.validate_json(letter.body)
    except (ValidationError, UserError):
        return found
    if isinstance(message, EventMessage):
        return {**found, "kind": "event", "event_id": message.event.internal_id, "event_name": message.event.name}
    if isinstance(message, MatchPageMessage):
        return {**found, "kind": message.kind, "event_id": message.event_id}
    if isinstance(message, CancellationMessage | ReplayMessage | ResumeMessage):
        return {**found, "kind": message.kind}
    return {**found, "kind": message.kind, "run_id": message.run_id, "event_name": message.name}


def deadline_ms(now_ms: int) -> int:
    """API Gateway waits for 29 s."""
    return now_ms + 15 * limits.SECOND_MS
