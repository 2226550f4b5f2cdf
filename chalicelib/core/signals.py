"""Signals: one name, one wait, one answer. Unlike an event, a signal is not kept: it goes to the one who waits."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from chalicelib.core import limits
from chalicelib.core.calls import ErrorInfo
from chalicelib.core.errors import InvalidEvent, LimitExceeded, UserError
from chalicelib.core.events import measure, too_deep
from chalicelib.core.steps import Cause, CauseKind, StepOutcome


class InvalidSignal(UserError):
    """A signal that cannot be sent or waited for; the message says what would be right."""


class SignalWait(BaseModel):
    """The step that waits for a signal, as it stands in the table under the signal. `until_ms` is its time-out."""

    model_config = ConfigDict(frozen=True)

    signal: str
    run_id: str
    step_id: str
    fn_id: str
    until_ms: int


def checked_name(signal: object) -> str:
    """A signal's name. Raises InvalidSignal."""
    if not isinstance(signal, str) or not signal:
        raise InvalidSignal("`signal` must be a text that is not empty: the name that a run waits for")
    if len(signal) > limits.MAX_SIGNAL_CHARS:
        raise InvalidSignal(
            f"`signal` has {len(signal):,} characters; at most {limits.MAX_SIGNAL_CHARS} are allowed: "
            "put what is long into `data`"
        )
    try:
        signal.encode()
    except UnicodeEncodeError:
        raise InvalidSignal("`signal` holds half of a surrogate pair, which is no text") from None
    return signal


def arrival(signal: str, data: Any, now_ms: int, sender: str | None = None) -> StepOutcome:
    """How a wait ends by its signal: the output is what both the signal and its data are read from.

    `sender` tells who sent it, if that is a step. Raises LimitExceeded when the data are too large, and InvalidSignal
    for what cannot be kept.
    """
    output = {"signal": signal, "data": data}
    try:
        size = measure(output)
    except InvalidEvent:
        raise InvalidSignal(
            "`data` holds half of a surrogate pair or a number that JSON has not, or is nested too deeply"
        ) from None
    if size > limits.MAX_STEP_OUTPUT_BYTES:
        raise LimitExceeded(
            f"the signal has {size:,} bytes; at most {limits.MAX_STEP_OUTPUT_BYTES:,} are allowed: "
            "keep large data elsewhere and send a reference"
        )
    if too_deep(data, limits.MAX_EVENT_DEPTH):
        raise InvalidSignal(f"`data` is nested more than {limits.MAX_EVENT_DEPTH} levels deep")
    cause = Cause(kind=CauseKind.SIGNAL, id=sender, name=signal)
    return StepOutcome(ended_at_ms=now_ms, output=output, cause=cause, size_bytes=size)


def is_repeated(before: StepOutcome | None, now: StepOutcome) -> bool:
    """Whether the wait was ended by this very signal: the same one is sent again when its answer was lost."""
    return before is not None and (before.cause, before.output) == (now.cause, now.output)


def taken(holder: SignalWait) -> ErrorInfo:
    """The error of a step that waits for a signal for which another one waits."""
    return ErrorInfo.of(
        "SignalTaken",
        f"run {holder.run_id} of function {holder.fn_id!r} waits for the signal {holder.signal!r} already, and a "
        "signal ends one wait only: give each its own name, or take the place of who waits with onConflict 'replace'",
    )


def timed_out(now_ms: int) -> StepOutcome:
    """How a wait ends whose time is over."""
    return StepOutcome(ended_at_ms=now_ms, cause=Cause(kind=CauseKind.TIMER))
