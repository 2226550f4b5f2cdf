"""When something is to happen later: a delayed message when it is near, a timer item when it is far."""

from __future__ import annotations

from chalicelib.core import limits
from chalicelib.core.messages import AnyWorkMessage
from chalicelib.core.steps import TimerKey
from chalicelib.engine.services import Services


def delay_s(due_ms: int, now_ms: int) -> int:
    """Whole seconds, rounded up: a message that comes early would have to be sent again."""
    return max(0, -(-(due_ms - now_ms) // 1000))


def schedule(s: Services, message: AnyWorkMessage) -> TimerKey | None:
    """Have the message come at its `due_ms`; the timer's key when it is a far one. Repeating it is harmless: what
    comes twice finds nothing to do."""
    assert message.due_ms is not None
    now = s.clock.now_ms()
    if message.due_ms - now > limits.MAX_MESSAGE_DELAY_MS:
        return s.timers.put(message.due_ms, message)
    s.queues.send_work(message, delay_s=delay_s(message.due_ms, now))
    return None


def came_early(s: Services, message: AnyWorkMessage) -> bool:
    """A message that came before its time is sent again with what remains of it."""
    if message.due_ms is None or s.clock.now_ms() >= message.due_ms:
        return False
    schedule(s, message)
    return True
