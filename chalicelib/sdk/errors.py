"""The errors that a function raises or catches. Every other exception is retried."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.core.clock import from_datetime
from chalicelib.core.durations import parse_duration
from chalicelib.core.errors import InvalidDuration, InvalidFunction, LimitExceeded

__all__ = [
    "InvalidFunction",
    "InvalidStepError",
    "LimitExceeded",
    "NonRetriableError",
    "OutputNotSerializable",
    "RetryAfterError",
    "StepError",
]


class NonRetriableError(Exception):
    """Raise it to fail the step, or the function, without another attempt.

    `quiet` is taken so that code can be moved here unchanged; it has no effect.
    """

    def __init__(self, message: str | None = None, quiet: bool = False) -> None:
        super().__init__(message or "")
        self.quiet = quiet


class RetryAfterError(Exception):
    """Raise it to choose when the next attempt begins; between 1 s and 24 h ahead are kept to.

    `retry_after` is a number of milliseconds, a timedelta or a duration such as "30s", counted from the
    failure, or the moment itself (a datetime without time zone is UTC). Raises InvalidDuration for anything
    else.
    """

    def __init__(self, message: str | None, retry_after: int | timedelta | datetime | str, quiet: bool = False) -> None:
        super().__init__(message or "")
        if isinstance(retry_after, bool) or not isinstance(retry_after, int | timedelta | datetime | str):
            raise InvalidDuration(
                "retry_after takes milliseconds, a timedelta, a datetime or a text such as '30s', "
                f"not {type(retry_after).__name__}"
            )
        if isinstance(retry_after, str):
            parse_duration(retry_after)
        self.retry_after = retry_after
        self.quiet = quiet

    def moment_ms(self, now_ms: int) -> int:
        """The moment asked for, in milliseconds since the epoch; never before now."""
        value = self.retry_after
        if isinstance(value, datetime):
            return max(now_ms, from_datetime(value))
        if isinstance(value, str):
            return now_ms + parse_duration(value)
        ms = value if isinstance(value, int) else round(value.total_seconds() * 1000)
        return now_ms + max(0, ms)


class StepError(Exception):
    """A step has failed for good. Raised where the step is called; the function may catch it and go on.

    `name`, `message` and `stack` are those of the error inside the step.
    """

    def __init__(self, message: str, name: str, stack: str | None) -> None:
        super().__init__(message)
        self.message = message
        self.name = name
        self.stack = stack


class InvalidStepError(NonRetriableError):
    """A step was called in a way that cannot work; the message names the step and says what to do."""


class OutputNotSerializable(NonRetriableError):
    """A step or a function returned what JSON cannot hold; the message names the place."""
