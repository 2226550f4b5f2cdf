"""What is known of a function: its triggers, cancellations and retries. Names follow the SDK protocol."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from chalicelib.core import flow_control, limits
from chalicelib.core.checking import Config, as_value_error, expression
from chalicelib.core.clock import from_iso
from chalicelib.core.crons import CronSchedule
from chalicelib.core.durations import RUN, Lookback, format_duration, parse_duration, parse_lookback
from chalicelib.core.flow_control import Flow
from chalicelib.core.matching import validate_event_pattern


class EventTrigger(Config):
    """Starts the function for each event of this name (`a/*` and `a.*` match many) for which `expression` is true."""

    event: str = Field(min_length=1, max_length=limits.MAX_EVENT_NAME_CHARS)
    expression: str | None = None

    @field_validator("event")
    @classmethod
    def _pattern(cls, value: str) -> str:
        as_value_error(validate_event_pattern, value)
        return value

    @field_validator("expression")
    @classmethod
    def _expression(cls, value: str | None) -> str | None:
        return expression(value, "event")


class CronTrigger(Config):
    """Starts the function by the clock: five cron fields, with `TZ=Area/City ` in front for a time zone. With `jitter`
    up to so much later, which differs from one time to the next."""

    cron: str
    jitter: str | None = None

    @field_validator("cron")
    @classmethod
    def _cron(cls, value: str) -> str:
        as_value_error(CronSchedule.parse, value)
        return value

    @field_validator("jitter")
    @classmethod
    def _jitter(cls, value: str | None) -> str | None:
        if value is not None:
            as_value_error(parse_duration, value)
        return value

    @property
    def jitter_ms(self) -> int:
        """Held to what fits into the delay of a message."""
        return 0 if self.jitter is None else min(parse_duration(self.jitter), limits.MAX_JITTER_MS)


class CancelOn(Config):
    """Ends a run when such an event comes; with `timeout`, only for so long after the run began."""

    event: str = Field(min_length=1, max_length=limits.MAX_EVENT_NAME_CHARS)
    if_exp: Annotated[str | None, Field(alias="if")] = None
    timeout: str | None = None

    @field_validator("if_exp")
    @classmethod
    def _expression(cls, value: str | None) -> str | None:
        return expression(value, "event", "async")

    @field_validator("timeout")
    @classmethod
    def _timeout(cls, value: str | None) -> str | None:
        if value is not None and _moment(value) is None:
            as_value_error(parse_duration, value)
        return value

    def until_ms(self, begun_ms: int) -> int | None:
        """Until when it counts for a run that began then; None for as long as the run lives."""
        if self.timeout is None:
            return None
        moment = _moment(self.timeout)
        return begun_ms + parse_duration(self.timeout) if moment is None else moment


def _moment(text: str) -> int | None:
    """A time such as 2026-11-24T09:00:00Z, which the SDK protocol allows in the place of a duration."""
    try:
        return from_iso(text)
    except (ValueError, OverflowError):
        return None


def _kind_of_trigger(value: Any) -> str:
    if isinstance(value, dict):
        return "cron" if "cron" in value else "event"
    return "cron" if isinstance(value, CronTrigger) else "event"


Trigger = Annotated[
    Annotated[EventTrigger, Tag("event")] | Annotated[CronTrigger, Tag("cron")], Discriminator(_kind_of_trigger)
]


class FunctionConfig(Config):
    """A function as the engine knows it, whoever runs its code."""

    id: str = Field(min_length=1, max_length=limits.MAX_FUNCTION_ID_CHARS)
    name: str = Field(min_length=1, max_length=256)
    triggers: tuple[Trigger, ...] = Field(max_length=limits.MAX_TRIGGERS)
    cancel: tuple[CancelOn, ...] = Field(default=(), max_length=limits.MAX_CANCELS)
    retries: int = Field(default=limits.DEFAULT_RETRIES, ge=0, le=limits.MAX_RETRIES)
    # How far the waits of its runs look back that do not say so themselves.
    wait_lookback: str | None = None
    driver: Literal["in_process", "http", "lambda", "endpoint"] = "in_process"
    # Of a function of an app on an SDK: which app, and where it is called (a URL, or the ARN of a Lambda function).
    app_id: str | None = None
    endpoint: str | None = None
    flow: Flow | None = None
    # Its app has it no more: it starts nothing new, and its runs go on.
    retired: bool = False

    @field_validator("id")
    @classmethod
    def _id(cls, value: str) -> str:
        return check_id(value)

    @model_validator(mode="after")
    def _combined(self) -> Self:
        if self.cancel and self.flow is not None and self.flow.batch_events is not None:
            raise ValueError("batchEvents cannot be combined with cancel")
        return self

    @field_validator("wait_lookback")
    @classmethod
    def _lookback(cls, value: str | None) -> str | None:
        if value is not None:
            lookback = as_value_error(parse_lookback, value)
            if lookback != RUN and lookback > limits.MAX_WAIT_MS:
                raise ValueError(f"is longer than {format_duration(limits.MAX_WAIT_MS)}, the longest there is")
        return value

    @property
    def lookback(self) -> Lookback | None:
        return None if self.wait_lookback is None else parse_lookback(self.wait_lookback)

    @property
    def max_attempts(self) -> int:
        return self.retries + 1

    @property
    def warnings(self) -> tuple[str, ...]:
        """What it is configured with and does not hold."""
        jittered = [trigger for trigger in self.triggers if isinstance(trigger, CronTrigger) and trigger.jitter]
        held = [one for one in jittered if parse_duration(one.jitter or "0s") > limits.MAX_JITTER_MS]
        longest = format_duration(limits.MAX_JITTER_MS)
        return (
            *flow_control.warnings(self.flow),
            *(f"the jitter of {one.cron!r} is held to {longest}, not {one.jitter}" for one in held),
        )

    def wire(self) -> dict[str, Any]:
        body = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        if not self.retired:
            del body["retired"]
        if self.flow is not None:
            body["flow"] = self.flow.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
        return body


def check_id(value: str) -> str:
    """An id of a function or an app: whatever can be seen, since people write all kinds of ids. Raises ValueError."""
    if not value.isprintable() or value != value.strip():
        raise ValueError("must have no spaces around it, and no line breaks or other characters that cannot be seen")
    return value
