"""What a user's exception means: what is shown of it, and whether and when there is another attempt."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chalicelib.core.calls import ErrorInfo
from chalicelib.core.errors import UserError
from chalicelib.sdk.errors import NonRetriableError, RetryAfterError, StepError

_MAX_FRAMES: Final = 30
_MAX_CHAIN: Final = 5
_PACKAGE: Final = Path(__file__).resolve().parent.parent
_OURS: Final = (str(_PACKAGE / "sdk"), str(_PACKAGE / "drivers"))
_LOOP: Final = str(Path(traceback.__file__).parent / "asyncio")


@dataclass(frozen=True)
class Failure:
    """An exception of the user's code; `retry_after_ms` is a moment."""

    error: ErrorInfo
    retriable: bool
    retry_after_ms: int | None = None


def describe(error: BaseException, now_ms: int) -> Failure:
    """What the exception means. Errors of ours that are the user's mistakes are never retried."""
    try:
        return _describe(error, now_ms)
    except Exception as broken:  # A user's subclass of our errors may lack what ours hold.
        text = f"{_message(error)} (the rest of it cannot be read: {type(broken).__name__})"
        return Failure(ErrorInfo.of(_clean(type(error).__name__), _clean(text)), retriable=False)


def _describe(error: BaseException, now_ms: int) -> Failure:
    if isinstance(error, StepError):
        kept = None if error.stack is None else _clean(str(error.stack))
        info = ErrorInfo.of(_clean(str(error.name)), _clean(str(error.message)), kept)
        return Failure(info, retriable=False)
    stack = None if error.__traceback__ is None else _clean(_stack(error))
    info = ErrorInfo.of(_clean(type(error).__name__), _clean(_message(error)), stack)
    if isinstance(error, RetryAfterError):
        return Failure(info, retriable=True, retry_after_ms=error.moment_ms(now_ms))
    return Failure(info, retriable=not isinstance(error, NonRetriableError | UserError))


def _message(error: BaseException) -> str:
    try:
        if not isinstance(error, Exception):
            return (
                f"{error!r} was raised, which is not an Exception but ends programs or tasks; "
                "here it counts as a failure like any other"
            )
        return str(error) or repr(error)
    except Exception as broken:
        return f"(its message cannot be read: {type(broken).__name__})"


def _stack(error: BaseException) -> str:
    """The traceback with the user's frames only, causes first, as Python prints it."""
    try:
        summary = traceback.TracebackException.from_exception(error, compact=True, limit=-4 * _MAX_FRAMES)
        link: traceback.TracebackException | None = summary
        for depth in range(_MAX_CHAIN):
            if link is None:
                break
            frames = [frame for frame in link.stack if not frame.filename.startswith((*_OURS, _LOOP))]
            link.stack = traceback.StackSummary.from_list(frames[-_MAX_FRAMES:])
            if depth == _MAX_CHAIN - 1:
                link.__cause__ = link.__context__ = None
            link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        return "".join(summary.format())
    except Exception as broken:  # The user's exception may do anything while it is formatted.
        return f"(its traceback cannot be shown: {type(broken).__name__})"


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
