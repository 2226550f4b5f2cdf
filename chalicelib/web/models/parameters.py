"""Query parameters: what they may be, and what is said when they are not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator

from chalicelib.core import limits
from chalicelib.core.clock import from_iso
from chalicelib.core.runs import RunStatus
from chalicelib.engine.operator_ports import SourceQueue
from chalicelib.engine.pages import InvalidQuery
from chalicelib.engine.ports import QueueName

_FOREVER_MS = 32_503_680_000_000
_MAX_CHARS = 256
_MAX_CURSOR_CHARS = 4_096
_SOURCES = (QueueName.EVENTS.value, QueueName.WORK.value)


def _text(value: str) -> str:
    if len(value) > _MAX_CHARS:
        raise ValueError(f"must not have more than {_MAX_CHARS} characters")
    return value


def _cursor(value: str) -> str:
    if len(value) > _MAX_CURSOR_CHARS:
        raise ValueError(f"must not have more than {_MAX_CURSOR_CHARS} characters")
    return value


def _limit(value: object) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", str(value)) or not 1 <= int(str(value)) <= limits.MAX_PAGE:
        raise ValueError(f"must be a number from 1 to {limits.MAX_PAGE}")
    return int(str(value))


def moment(value: str) -> int:
    """Milliseconds since the epoch. Raises ValueError that says what would be right."""
    try:
        found = from_iso(value)
    except (ValueError, OverflowError):
        raise ValueError("must be a time such as 2026-11-24T09:00:00Z") from None
    if found < 0:
        raise ValueError("must lie after 1970")
    return found


def _status(value: str) -> RunStatus:
    try:
        return RunStatus(value.capitalize())
    except ValueError:
        names = ", ".join(status.value for status in RunStatus)
        raise ValueError(f"must be one of {names}") from None


def _queue(value: str) -> QueueName:
    if value not in _SOURCES:
        raise ValueError(f"must be one of {', '.join(_SOURCES)}")
    return QueueName(value)


def _schema(**schema: Any) -> WithJsonSchema:
    return WithJsonSchema(schema)


Text = Annotated[str, BeforeValidator(_text), _schema(type="string", maxLength=_MAX_CHARS)]
Limit = Annotated[int, BeforeValidator(_limit), _schema(type="integer", minimum=1, maximum=limits.MAX_PAGE)]
Moment = Annotated[int, BeforeValidator(moment), _schema(type="string", format="date-time")]
Status = Annotated[RunStatus, BeforeValidator(_status), _schema(type="string", enum=[one.value for one in RunStatus])]
Source = Annotated[SourceQueue, BeforeValidator(_queue), _schema(type="string", enum=list(_SOURCES))]
Cursor = Annotated[str, BeforeValidator(_cursor), _schema(type="string", maxLength=_MAX_CURSOR_CHARS)]


class Parameters(BaseModel):
    """The query parameters of a route."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Self:
        """An empty one counts as absent. Raises InvalidQuery, which names the parameter."""
        try:
            return cls.model_validate({name: given[name] for name in given if given[name] != ""})
        except ValidationError as error:
            problem = error.errors()[0]
        name = ".".join(map(str, problem["loc"]))
        if problem["type"] == "extra_forbidden":
            raise InvalidQuery(f"unknown parameter {name!r}; known are {', '.join(cls.model_fields)}")
        if problem["type"] == "missing":
            raise InvalidQuery(f"{name} is missing")
        message = str(problem["msg"]).removeprefix("Value error, ")
        raise InvalidQuery(f"{name} {message}" if name else message)


class PageQuery(Parameters):
    """Parameters of every list."""

    limit: Limit = Field(default=limits.DEFAULT_PAGE, description="How many rows a page has at most.")
    cursor: Cursor | None = Field(default=None, description="`metadata.cursor` of the page before.")


class EventsQuery(PageQuery):
    name: Text | None = Field(default=None, description="Only events of this name; else of all but Stepwell's own.")
    received_after: Moment = Field(default=0, description="Only events accepted at this time or later.")
    received_before: Moment = Field(default=_FOREVER_MS, description="Only events accepted before this time.")


class EffectsQuery(PageQuery):
    limit: Limit = Field(default=limits.MAX_PAGE, description="How many runs `resumed` and `cancelled` show at most.")


class RunsQuery(PageQuery):
    function_id: Text | None = Field(default=None, description="Only runs of this function.")
    status: Status | None = Field(default=None, description="Only runs that stand so.")
    started_after: Moment = Field(default=0, description="Only runs created at this time or later.")
    started_before: Moment = Field(default=_FOREVER_MS, description="Only runs created before this time.")


class PausesQuery(PageQuery):
    event: Text | None = Field(default=None, description="The name of an event. This or `run_id` must be given.")
    run_id: Text | None = Field(default=None, description="Only of this run.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.event is None and self.run_id is None:
            raise ValueError("name an event (event=…) or a run (run_id=…)")
        return self


class QueueQuery(Parameters):
    queue: Source | None = Field(default=None, description="Only letters that came from this queue.")

    @property
    def queues(self) -> tuple[SourceQueue, ...]:
        return (QueueName.EVENTS, QueueName.WORK) if self.queue is None else (self.queue,)


class DeadLettersQuery(QueueQuery):
    limit: Limit = Field(default=limits.DEFAULT_PAGE, description="How many letters are shown at most.")
