"""Functions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chalicelib.core.flow_control import Flow
from chalicelib.core.function_pauses import PauseMode
from chalicelib.web.models.bodies import Body
from chalicelib.web.models.common import Metadata, PageMetadata, Shape, Time


class EventTriggerBody(Shape):
    event: str = Field(description="The name of the events that start the function; `*` at its end matches many.")
    expression: str | None = Field(default=None, description="A condition on the event.")


class CronTriggerBody(Shape):
    cron: str
    jitter: str | None = Field(default=None, description="Up to how much later it is started.")
    time_zone: str
    next: list[Time] = Field(description="When it is due next; empty for a day that never comes.")


class CancelBody(Shape):
    event: str
    if_: str | None = Field(default=None, alias="if", description="A condition on this event and the run's own.")
    timeout: str | None = Field(default=None, description="For how long after the run began it counts.")


class PausedBody(Shape):
    mode: PauseMode = Field(description="`queue`: its runs wait; `skip`: its events start nothing.")
    since: Time


class FunctionPauseRequest(Body):
    mode: PauseMode = Field(
        default="queue",
        description="`queue`: its runs, new ones and those that have begun, wait until it is resumed. `skip`: events "
        "start nothing, and what has begun goes on.",
    )


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
    app_id: str | None = Field(default=None, description="The app on an SDK that it belongs to.")
    endpoint: str | None = Field(default=None, description="Where it is called.")
    flow: Flow | None = Field(default=None, description="Its flow control, as the SDK protocol has it.")
    paused: PausedBody | None = Field(default=None, description="How it is paused, and since when.")
    retired: bool = Field(default=False, description="Its app has it no more: it starts nothing new, its runs go on.")
    warnings: list[str] = Field(default=[], description="What it is configured with and does not hold.")


class Functions(Shape):
    data: list[FunctionBody]
    metadata: Metadata


class FunctionAnswer(Shape):
    data: FunctionBody
    metadata: Metadata


class QueuedBody(Shape):
    run_id: str
    step_id: str | None = Field(description="Of a step of a parallel group that waits by itself.")
    reason: Literal["concurrency", "throttle", "paused"] = Field(
        description="Which part of flow control it waits for; `paused`: until the function is resumed."
    )
    limit: int | None = Field(
        description="How many places there are; of a throttle, how many starts in its period; of a pause null."
    )
    scope: str | None = Field(description="Whose places: `fn`, `env` or `account`. Null if the limit is no more.")
    key: str | None = Field(description="The limit's key.")
    key_value: str | None = Field(description="The value of the key for this run, as JSON, cut short.")
    since: Time
    woken_at: Time | None = Field(description="When it was last sent a message, since a place was free.")
    expected_start: Time | None = Field(description="When a run begins that a throttle delays.")


class QueueAnswer(Shape):
    data: list[QueuedBody]
    metadata: PageMetadata
