"""Tells the pumps at once when this process has sent a message.

The emulator looks at a waiting receive every 100 ms, which would cost an event 50 ms per queue on average.
So botocore, whose clients the platform sends with, calls us after each send, and the pump of that queue
looks at once. What comes another way (the bus, another process, a delay that ran out) is found by the
pump's waiting receive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore import handlers

Nudge = Callable[[], None]


class Nudges:
    """Which pump to wake for which queue. ``install`` must run before the platform makes its clients."""

    def __init__(self) -> None:
        self._by_url: dict[str, Nudge] = {}

    def register(self, queue_url: str, nudge: Nudge) -> None:
        """Wake ``nudge`` whenever a message for ``queue_url`` that is due now has been sent."""
        self._by_url[queue_url] = nudge

    def install(self) -> None:
        """Listen on every botocore session made from now on."""
        for operation in ("SendMessage", "SendMessageBatch"):
            handlers.BUILTIN_HANDLERS.append((f"provide-client-params.sqs.{operation}", self._note))
            handlers.BUILTIN_HANDLERS.append((f"after-call.sqs.{operation}", self._wake))

    def uninstall(self) -> None:
        """Stop listening on sessions made from now on."""
        handlers.BUILTIN_HANDLERS[:] = [
            entry for entry in handlers.BUILTIN_HANDLERS if entry[1] not in (self._note, self._wake)
        ]

    def _note(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        """Before the call: remember which queue it is for, if any of its messages is due at once."""
        entries = params.get("Entries") or [params]
        if any(not entry.get("DelaySeconds") for entry in entries):
            context["stepwell_queue_url"] = params.get("QueueUrl")

    def _wake(self, context: dict[str, Any], **_: Any) -> None:
        """After the call: the message is there."""
        nudge = self._by_url.get(str(context.get("stepwell_queue_url")))
        if nudge is not None:
            nudge()
