"""Functions."""

from __future__ import annotations

from pydantic import Field

from chalicelib.web.models.common import Metadata, Shape, Time


class EventTriggerBody(Shape):
    event: str = Field(description="The name of the events that start the function; `*` at its end matches many.")
    expression: str | None = Field(default=None, description="A condition on the event.")


class CronTriggerBody(Shape):
    cron: str
    time_zone: str
    next: list[Time] = Field(description="When it is due next; empty for a day that never comes.")


class CancelBody(Shape):
    event: str
    if_: str | None = Field(default=None, alias="if", description="A condition on this event and the run's own.")
    timeout: str | None = Field(default=None, description="For how long after the run began it counts.")


class FunctionBody(Shape):
    id: str
    name: str
    triggers: list[EventTriggerBody | CronTriggerBody]
    cancel: list[CancelBody] = Field(description="What cancels its runs.")
    retries: int = Field(description="How often a failed step is tried again.")
    wait_lookback: str | None = Field(
        default=None, description="How far its waits look back that do not say so themselves: a duration, or `run`."
    )
    driver: str = Field(description="Who runs its code.")


class Functions(Shape):
    data: list[FunctionBody]
    metadata: Metadata


class FunctionAnswer(Shape):
    data: FunctionBody
    metadata: Metadata
