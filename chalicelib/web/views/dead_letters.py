"""`/v1/dead-letters`."""

from __future__ import annotations

from typing import Any

from chalicelib.engine import dead_letters
from chalicelib.web.models import DeadLettersQuery, QueueQuery
from chalicelib.web.views.wrapping import wrap
from chalicelib.wiring import Platform


def show_all(p: Platform, params: DeadLettersQuery) -> dict[str, Any]:
    """In no order. SQS shows a message only to whoever takes it: while this is answered, nobody else sees the letters
    that it tells of. To see others than these, ask for more, redrive or delete some, or ask again."""
    found = dead_letters.letters(p.services, p.room.dead_letters, params.queues, params.limit)
    return wrap(p, found["rows"], queues=found["counts"])


def redrive(p: Platform, letter_id: str, params: QueueQuery) -> dict[str, Any]:
    """SQS has no access by id: up to 1,000 letters are looked through. Name the queue to look through fewer."""
    return wrap(p, dead_letters.redrive(p.services, p.room.dead_letters, letter_id, params.queues))


def redrive_all(p: Platform, params: QueueQuery) -> dict[str, Any]:
    """As many as can be sent within 15 s."""
    deadline_ms = dead_letters.deadline_ms(p.clock.now_ms())
    return wrap(p, dead_letters.redrive_all(p.services, p.room.dead_letters, params.queues, deadline_ms))


def delete(p: Platform, letter_id: str, params: QueueQuery) -> dict[str, Any]:
    """What the message would have caused does not happen. A run that stands still because of it goes on all the same,
    once `on_collect` finds it."""
    return wrap(p, dead_letters.delete(p.services, p.room.dead_letters, letter_id, params.queues))
