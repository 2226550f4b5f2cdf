"""Dead letters: what is written beside a message that could not be handled, and what can be read there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.core.errors import StepwellError

# SQS takes more; a person does not.
MAX_REASON_CHARS = 1_000
DIED_EACH_TIME = "its process died or ran out of time each time"
# What SQS refuses in a text.
_REFUSED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def reason_of(error: Exception) -> str:
    """An error as a reason: what we raise explains itself, others need their type to be understood."""
    return str(error) if isinstance(error, StepwellError) else f"{type(error).__name__}: {error}"


@dataclass(frozen=True)
class Note:
    """How a message died. Times in milliseconds since the epoch; what nobody wrote down is None."""

    reason: str
    receives: int | None = None
    first_sent_at_ms: int | None = None
    # Whether we wrote it: SQS and EventBridge put letters into the queues, too.
    is_ours: bool = False

    def attributes(self) -> dict[str, str]:
        """As attributes of the letter."""
        reason = _REFUSED.sub("\ufffd", self.reason.strip())[:MAX_REASON_CHARS]
        return {
            "reason": reason or "unknown",
            "receives": str(self.receives or 0),
            "first_sent_at": str(self.first_sent_at_ms or 0),
        }


def read_note(attributes: Mapping[str, str]) -> Note:
    """What the attributes of a letter tell, whoever put it there."""
    if "reason" in attributes:
        return Note(
            reason=attributes["reason"],
            receives=_number(attributes.get("receives")),
            first_sent_at_ms=_number(attributes.get("first_sent_at")),
            is_ours=True,
        )
    if "ERROR_CODE" in attributes or "ERROR_MESSAGE" in attributes:
        told = ": ".join(attributes[name] for name in ("ERROR_CODE", "ERROR_MESSAGE") if attributes.get(name))
        return Note(
            reason=f"EventBridge could not put it into the events queue: {told}",
            receives=_number(attributes.get("RETRY_ATTEMPTS")),
        )
    return Note(reason=DIED_EACH_TIME)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,18}", text) else None
