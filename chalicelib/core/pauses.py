"""Rows of the pause index: what waits for an event, and what an event would cancel."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from chalicelib.core import limits
from chalicelib.core.durations import RUN, Lookback
from chalicelib.core.events import Event
from chalicelib.core.steps import CauseKind, PauseKey, StepRecord


class PauseKind(StrEnum):
    WAIT = "wait"
    CANCEL = "cancel"


class Pause(BaseModel):
    """One row: under the index key of one disjunct of its condition.

    `accept_after_us` and `accept_until_ms` bound when an event must have been accepted to count.
    """

    model_config = ConfigDict(frozen=True)

    key: PauseKey
    kind: PauseKind
    run_id: str
    fn_id: str
    event_name: str
    shape: tuple[str, ...]
    step_id: str | None = None
    if_exp: str | None = None
    condition: dict[str, Any] | None = None
    trigger_event_id: str
    accept_after_us: int
    accept_until_ms: int
    # Events that had resumed the run before this wait was registered; with `spent_unlisted`, the step lists them.
    spent: tuple[str, ...] = ()
    spent_unlisted: bool = False
    # Of a wait for the first of several events: which of them; and whether one before it has the same name.
    choice: int | None = None
    has_namesake: bool = False


def is_first_row(key: PauseKey) -> bool:
    """A pause whose condition has alternatives has a row for each; its first one stands for it where it is counted or
    shown."""
    return key.row.endswith("#0")


def counts_for(pause: Pause, event: Event) -> bool:
    """Whether the event was accepted when this pause listened, and has neither started nor resumed its run before."""
    return event.name == pause.event_name and is_in_time(
        event,
        trigger_event_id=pause.trigger_event_id,
        after_us=pause.accept_after_us,
        until_ms=pause.accept_until_ms,
        spent=pause.spent,
    )


def is_in_time(event: Event, *, trigger_event_id: str, after_us: int, until_ms: int, spent: Collection[str]) -> bool:
    """The same, for what is known without a row."""
    return (
        event.internal_id != trigger_event_id
        and event.internal_id not in spent
        and event.received_at_us > after_us
        and event.received_at_ms <= until_ms
    )


def spent_events(steps: dict[str, StepRecord], accept_after_us: int) -> tuple[str, ...]:
    """The events that a wait must not meet again for which events count that were accepted after this: those that have
    resumed the run since. (An event resumes when it has been accepted, by clocks that may differ.)"""
    recent_ms = accept_after_us // 1000 - limits.CLOCK_SKEW_MS
    outcomes = [step.outcome for step in steps.values() if step.outcome is not None]
    causes = [outcome.cause for outcome in outcomes if outcome.cause is not None and outcome.ended_at_ms >= recent_ms]
    return tuple(sorted({cause.id for cause in causes if cause.kind is CauseKind.EVENT and cause.id is not None}))


def wait_accepts_after_us(registered_at_ms: int, trigger_received_at_us: int, lookback: Lookback | None) -> int:
    """From when on an event counts for a wait: its registration, less what two clocks may differ or how far it looks
    back, but never before the event that started the run."""
    if lookback == RUN:
        return trigger_received_at_us
    back_ms = max(lookback or 0, limits.CLOCK_SKEW_MS)
    return max((registered_at_ms - back_ms) * 1000, trigger_received_at_us)
