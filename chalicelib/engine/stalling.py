"""A run whose message fails again and again stands still, and says why. A redriven message or a poke lets it go on."""

from __future__ import annotations

from chalicelib.core.errors import Deferred, InfrastructureError
from chalicelib.core.letters import DIED_EACH_TIME, MAX_REASON_CHARS, reason_of
from chalicelib.core.messages import PlannedStepMessage, TurnMessage
from chalicelib.engine import concurrency
from chalicelib.engine.services import Delivery, Services, logger

_TOLD = "and went to the dead letters: "


def note_fault(s: Services, run_id: str, delivery: Delivery, error: Exception) -> None:
    """Keep the error of the last try: the delivery after it does no work and knows only what is written by then."""
    if delivery.receives != s.settings.max_receives - 1 or isinstance(error, Deferred):
        return
    try:
        s.runs.mark_stalled(run_id, reason_of(error)[:MAX_REASON_CHARS])
    except InfrastructureError as fault:
        logger.warning("the fault could not be noted", extra={"run_id": run_id, "error": str(fault)})


def stall(s: Services, message: TurnMessage | PlannedStepMessage, delivery: Delivery) -> str:
    """Mark the run as stalled by a message that came for the last time; the reason. Nobody may wait for it."""
    run_id = message.run_id
    head = s.runs.head(run_id)
    # A turn that began since then has removed the note: it did not get to its end.
    noted = "" if head is None or head.stalled is None else head.stalled
    fault = noted.rpartition(_TOLD)[2] or DIED_EACH_TIME
    s.runs.mark_stalled(run_id, f"its message was received {delivery.receives} times {_TOLD}{fault}")
    concurrency.pass_by(s, None if head is None else head.seed, message)
    return fault
