"""Signals: who waits for one, and how it comes to them. The step's record decides, in one conditional write; the row of
the signal only says where to look. Whoever finds a row whose step has ended sends the run a turn, since whoever ended
it may have died before doing so, and only then removes the row or takes its place."""

from __future__ import annotations

from typing import Any

from chalicelib.core.calls import ErrorInfo
from chalicelib.core.errors import InfrastructureError, LeaseLost
from chalicelib.core.messages import TurnMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.signals import SignalWait, arrival, checked_name, is_repeated, taken, timed_out
from chalicelib.core.steps import StepOutcome, StepRecord
from chalicelib.engine import cleanup, metrics
from chalicelib.engine.recording import Recorder
from chalicelib.engine.services import Services, logger

_TRIES = 10
_WAKES_ANYWAY_S = 5


def send(s: Services, signal: object, data: Any, sender: str | None = None) -> str | None:
    """Hand the signal to the run that waits for it; its id, or None when none waits. Sent again because its answer was
    lost, it finds the run that it has resumed: sent by a step always, by others as long as that run has not been told.

    `sender` names the step that sends, if one does. Raises InvalidSignal and LimitExceeded.
    """
    name, now = checked_name(signal), s.clock.now_ms()
    outcome = arrival(name, data, now, sender)
    wait = _receiver(s, name, sender)
    if wait is None:
        return None
    is_late = wait.until_ms < now
    if sender is None:
        # Nobody brings a request of the API again: should this process die once the wait has ended, its run wakes all
        # the same.
        s.queues.send_work(TurnMessage(run_id=wait.run_id), delay_s=_WAKES_ANYWAY_S)
    stored = s.runs.get_step(wait.run_id, wait.step_id) if is_late else _complete(s, wait, outcome)
    is_ours = stored is not None and stored.outcome is outcome
    if is_ours:
        s.metrics.count(Metric.WAITS_MATCHED)
        logger.info("resumed by a signal", extra={"run_id": wait.run_id, "function_id": wait.fn_id, "signal": name})
    # One whose time is over ends by this turn, and leaves its row until then.
    _tell(s, wait, stored)
    if stored is None or stored.status.is_final:
        s.signals.remove(name, wait.run_id, wait.step_id)
    return wait.run_id if stored is not None and (is_ours or is_repeated(stored.outcome, outcome)) else None


def _receiver(s: Services, name: str, sender: str | None) -> SignalWait | None:
    """Who waits for the signal; for a step that is tried again, whom it was sent to first."""
    wait = s.signals.holder(name)
    if sender is None:
        return wait
    return s.signals.sent(sender) if wait is None else s.signals.put_sent(sender, wait)


def step_sender(s: Services, run_id: str, step_id: str, signal: str, data: Any) -> str | None:
    """What `ctx.step.send_signal` calls."""
    return send(s, signal, data, sender=f"{run_id}#{step_id}")


def register(r: Recorder, step: StepRecord, wanted: SignalWait, *, replaces: bool) -> ErrorInfo | None:
    """Register a wait for a signal; why that cannot be, if somebody else waits for it and is not to be replaced."""
    ours = r.stamped(step)
    holder: SignalWait | None = None
    for _ in range(_TRIES):
        found = r.s.signals.register(r.owner, ours, wanted, r.s.clock.now_ms(), after=holder)
        if isinstance(found, StepRecord):
            r.run.steps[step.id] = found
            if found is ours:
                r.s.metrics.count(Metric.WAITS_OPENED)
            return None
        if not _make_room(r.s, found, replaces=replaces):
            return taken(found)
        holder = found
    raise InfrastructureError(
        f"who waits for the signal {wanted.signal!r} changed {_TRIES} times while it was registered"
    )


def _make_room(s: Services, holder: SignalWait, *, replaces: bool) -> bool:
    """Whether the holder's place may be taken: its wait has ended, or is to be replaced."""
    now = s.clock.now_ms()
    if holder.until_ms < now:
        stored = _complete(s, holder, timed_out(now))
    elif replaces:
        return True  # Whoever waited goes on waiting until its timeout, as the SDKs document it.
    else:
        head, stored = s.runs.head(holder.run_id), s.runs.get_step(holder.run_id, holder.step_id)
        is_open = head is not None and head.ending is None
        if is_open and stored is not None and not stored.status.is_final:
            return False
    _tell(s, holder, stored)
    return True


def _complete(s: Services, wait: SignalWait, outcome: StepOutcome) -> StepRecord | None:
    """End the wait, unless its run has ended; the step as it is recorded."""
    head = s.runs.head(wait.run_id)
    if head is None or head.ending is not None:
        return s.runs.get_step(wait.run_id, wait.step_id)
    try:
        stored = s.runs.complete(wait.run_id, wait.step_id, outcome)
    except LeaseLost:
        return None  # The run was deleted.
    if stored.outcome is outcome:
        if outcome.error is not None:
            metrics.step_ended(s, stored, is_ours=True)
        elif outcome.output is None:
            s.metrics.count(Metric.WAITS_EXPIRED)
    return stored


def _tell(s: Services, wait: SignalWait, stored: StepRecord | None) -> None:
    """A turn for the run whose wait has ended, or is due."""
    if stored is not None:
        s.queues.send_work(TurnMessage(run_id=wait.run_id))
        cleanup.remove_timer(s, stored if stored.status.is_final else None)
