"""What is known of a function: its triggers, cancellations and retries. Names follow the SDK protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from chalicelib.core import limits
from chalicelib.core.crons import CronSchedule
from chalicelib.core.durations import RUN, Lookback, format_duration, parse_duration, parse_lookback
from chalicelib.core.errors import UserError
from chalicelib.core.matching import validate_event_pattern

_checked_before: ContextVar[bool] = ContextVar("checked_before", default=False)


@contextmanager
def checked_before() -> Iterator[None]:
    """Functions made inside have their conditions taken as they are. Those of a deployment were checked when it was
    packaged; to compile them again would cost each cold start the grammar."""
    token = _checked_before.set(True)
    try:
        yield
    finally:
        _checked_before.reset(token)


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _checked_expression(text: str | None, roots: frozenset[str]) -> str | None:
    if text is not None and not _checked_before.get():
        from chalicelib.core.expressions import compile_expression

        try:
            compile_expression(text, roots=roots)
        except UserError as error:
            raise ValueError(str(error)) from None
    return text


class EventTrigger(_Config):
    """Starts the function for each event of this name (`a/*` and `a.*` match many) for which `expression` is true."""

    event: str = Field(min_length=1, max_length=limits.MAX_EVENT_NAME_CHARS)
    expression: str | None = None

    @field_validator("event")
    @classmethod
    def _pattern(cls, value: str) -> str:
        try:
            validate_event_pattern(value)
        except UserError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("expression")
    @classmethod
    def _expression(cls, value: str | None) -> str | None:
        return _checked_expression(value, frozenset({"event"}))


class CronTrigger(_Config):
    """Starts the function by the clock: five cron fields, with `TZ=Area/City ` in front for a time zone."""

    cron: str

    @field_validator("cron")
    @classmethod
    def _cron(cls, value: str) -> str:
        try:
            CronSchedule.parse(value)
        except UserError as error:
            raise ValueError(str(error)) from None
        return value


class CancelOn(_Config):
    """Ends a run when such an event comes; with `timeout`, only for so long after the run began."""

    event: str = Field(min_length=1, max_length=limits.MAX_EVENT_NAME_CHARS)
    if_exp: Annotated[str | None, Field(alias="if")] = None
    timeout: str | None = None

    @field_validator("if_exp")
    @classmethod
    def _expression(cls, value: str | None) -> str | None:
        return _checked_expression(value, frozenset({"event", "async"}))

    @field_validator("timeout")
    @classmethod
    def _timeout(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parse_duration(value)
            except UserError as error:
                raise ValueError(str(error)) from None
        return value

    @property
    def timeout_ms(self) -> int | None:
        return None if self.timeout is None else parse_duration(self.timeout)


class FunctionConfig(_Config):
    """A function as the engine knows it, whoever runs its code."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")
    name: str = Field(min_length=1, max_length=256)
    triggers: tuple[EventTrigger | CronTrigger, ...] = Field(max_length=limits.MAX_TRIGGERS)
    cancel: tuple[CancelOn, ...] = Field(default=(), max_length=limits.MAX_CANCELS)
    retries: int = Field(default=limits.DEFAULT_RETRIES, ge=0, le=limits.MAX_RETRIES)
    # How far the waits of its runs look back that do not say so themselves.
    wait_lookback: str | None = None
    driver: Literal["in_process", "http", "lambda", "endpoint"] = "in_process"
    # Of a function of an app on an SDK: which app, and where it is called (a URL, or the ARN of a Lambda function).
    app_id: str | None = None
    endpoint: str | None = None

    @field_validator("wait_lookback")
    @classmethod
    def _lookback(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                lookback = parse_lookback(value)
            except UserError as error:
                raise ValueError(str(error)) from None
            if lookback != RUN and lookback > limits.MAX_WAIT_MS:
                raise ValueError(f"is longer than {format_duration(limits.MAX_WAIT_MS)}, the longest there is")
        return value

    @property
    def lookback(self) -> Lookback | None:
        return None if self.wait_lookback is None else parse_lookback(self.wait_lookback)

    @property
    def max_attempts(self) -> int:
        return self.retries + 1

    def wire(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
