"""Rows of the pause index: what waits for an event, and what an event would cancel."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from chalicelib.core import limits
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
    # Events that had resumed the run before this wait was registered.
    spent: tuple[str, ...] = ()


def counts_for(pause: Pause, event: Event) -> bool:
    """Whether the event was accepted when this pause listened, and has neither started nor resumed its run before."""
    return (
        event.name == pause.event_name
        and event.internal_id != pause.trigger_event_id
        and event.internal_id not in pause.spent
        and event.received_at_us > pause.accept_after_us
        and event.received_at_ms <= pause.accept_until_ms
    )


def spent_events(steps: dict[str, StepRecord], now_ms: int) -> tuple[str, ...]:
    """The events that a wait registered now must not meet again: those that have resumed this run of late. (What was
    accepted earlier than two clocks may differ does not count for the wait anyway.)"""
    recent_ms = now_ms - 2 * limits.CLOCK_SKEW_MS
    outcomes = [step.outcome for step in steps.values() if step.outcome is not None]
    causes = [outcome.cause for outcome in outcomes if outcome.cause is not None and outcome.ended_at_ms >= recent_ms]
    return tuple(sorted({cause.id for cause in causes if cause.kind is CauseKind.EVENT and cause.id is not None}))


def wait_accepts_after_us(registered_at_ms: int, trigger_received_at_us: int) -> int:
    """From when on an event counts for a wait: its registration, less what two clocks may differ, but never before
    the event that started the run."""
    return max((registered_at_ms - limits.CLOCK_SKEW_MS) * 1000, trigger_received_at_us)
