"""The tree of errors. Law 3 lives in its two branches: a user's mistake is answered, an infrastructure fault is
retried by the queue; which of the two an error is, its type says."""

from __future__ import annotations


class StepwellError(Exception):
    """The root of every error that Stepwell raises on purpose."""


class UserError(StepwellError):
    """A mistake of the caller or of the function's author: told to them, never retried by the queue."""


class InvalidEvent(UserError):
    """An event that the API refuses; the message names the field and what would be right."""


class InvalidExpression(UserError):
    """A condition that cannot be used.

    Attributes: `message` (the reason, without position), `line` and `column` (both from 1).
    """

    def __init__(self, message: str, *, line: int = 1, column: int = 1) -> None:
        super().__init__(f"{message} (line {line}, column {column})")
        self.message = message
        self.line = line
        self.column = column


class InvalidFunction(UserError):
    """A function's configuration that cannot be registered."""


class InvalidDuration(UserError):
    """A duration or a time that cannot be read or lies outside the limits."""


class LimitExceeded(UserError):
    """Something is larger or more numerous than Stepwell allows; the message names limit and actual size."""


class TooLarge(UserError):
    """A request has more bytes than it may have."""


class NotFound(UserError):
    """What the caller asked for does not exist."""


class Conflict(UserError):
    """It cannot be done as things stand; the message says what stands against it."""


class StaleCheckpoint(UserError):
    """What an app tells of a run comes too late: its call is over, or the run goes on elsewhere. The app must stop."""


class InfrastructureError(StepwellError):
    """AWS did not answer as it should: the message goes back to the queue, alone and soon."""


class Throttled(InfrastructureError):
    """AWS asked us to slow down."""


class TransactionConflict(InfrastructureError):
    """Another transaction touched the same items: not a lost race, only to be tried again."""


class Unreadable(StepwellError):
    """What is stored has a form that this release does not know: it is damaged, or a newer one wrote it."""


class LeaseLost(StepwellError):
    """This turn no longer owns its run: it writes nothing more and does not acknowledge."""


class Deferred(StepwellError):
    """The message must stay on the queue and come back in `visible_in_s` seconds."""

    def __init__(self, message: str, visible_in_s: int) -> None:
        super().__init__(message)
        self.visible_in_s = visible_in_s
