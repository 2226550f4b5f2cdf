"""Runs and their timelines."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chalicelib.core.runs import RunStatus
from chalicelib.core.steps import CauseKind
from chalicelib.web.models.common import Metadata, PageMetadata, Shape, Time


class RunBody(Shape):
    run_id: str
    run_started_at: Time
    function_id: str
    function_version: int
    event_id: str = Field(description="The internal id of the event that started it.")
    status: RunStatus
    ended_at: Time | None
    output: Any = Field(default=None, description="What the function returned, or its error. Absent until it ended.")
    cron: str | None = Field(default=None, description="The schedule that started it, if one did.")
    batch_id: str | None = Field(default=None, description="Of a run that began with a batch of events: its own id.")
    event_ids: list[str] | None = Field(
        default=None, description="The internal ids of a batch's events; of one run alone, not in lists."
    )
    original_run_id: str | None = Field(default=None, description="The run that it replays, if it does.")
    not_before: Time | None = Field(
        default=None, description="When a throttle lets it begin. Absent once it has begun, and where it need not wait."
    )
    stalled: str | None = Field(default=None, description="Why it stands still: its message is among the dead letters.")


class Runs(Shape):
    data: list[RunBody]
    metadata: PageMetadata


class RunAnswer(Shape):
    data: RunBody
    metadata: Metadata


class Job(Shape):
    at: Time = Field(description="When it is due, or since when it is being done.")
    position: int = Field(description="Its place among the run's jobs, by time, from 0.")
    kind: Literal["start", "edge", "sleep", "pause"] = Field(
        description="`start`: the run has not begun; `edge`: the function or a step is entered; `sleep`: a sleep ends; "
        "`pause`: a wait or an invocation times out."
    )
    attempt: int = Field(description="Which attempt it is, from 0.")
    step: str | None = Field(default=None, description="The step's name.")
    step_id: str | None = Field(default=None, description="The step's memo key.")


class Jobs(Shape):
    data: list[Job]
    metadata: Metadata


class EventRef(Shape):
    id: str
    name: str


class ErrorBody(Shape):
    name: str
    message: str
    stack: str | None = None
    data: Any = None


class CauseBody(Shape):
    kind: CauseKind = Field(description="What ended it from outside.")
    id: str | None = None
    name: str | None = None


class AwaitedBody(Shape):
    event: str
    if_: str | None = Field(default=None, alias="if", description="The condition.")


TimelineType = Literal[
    "run.created",
    "run.debounced",
    "run.batched",
    "run.throttled",
    "run.started",
    "run.stalled",
    "run.replayed",
    "run.completed",
    "run.failed",
    "run.cancelled",
    "step.copied",
    "step.planned",
    "step.sleeping",
    "step.waiting",
    "step.invoking",
    "step.attempt_failed",
    "step.completed",
    "step.failed",
    "step.resumed",
    "step.timed_out",
    "function.attempt_failed",
    "warning",
]


class TimelineEntry(Shape):
    """What belongs to the entry's type is there, the rest is absent."""

    at: Time
    type: TimelineType
    event: EventRef | str | None = Field(
        default=None, description="The event that started the run; the name of the event that a step waits for."
    )
    count: int | None = Field(default=None, description="How many events joined the debounce or the batch.")
    since: Time | None = Field(default=None, description="When the first of them joined.")
    events: list[EventRef] | None = Field(default=None, description="The events of a batch.")
    step: str | None = Field(default=None, description="The step's name.")
    step_id: str | None = Field(default=None, description="The step's memo key.")
    if_: str | None = Field(default=None, alias="if", description="The condition of a wait.")
    any_of: list[AwaitedBody] | None = Field(
        default=None, description="The events of which a step waits for the first."
    )
    lookback: str | None = Field(default=None, description="How far a wait looks back: a duration, or `run`.")
    looked_back: bool | None = Field(default=None, description="The event had come before the wait.")
    index: int | None = Field(default=None, description="Which of the events came, from 0.")
    until: Time | None = Field(default=None, description="When a sleep or a wait ends.")
    function_id: str | None = Field(default=None, description="The invoked function.")
    run_id: str | None = Field(default=None, description="The invoked run; the run that replays this one.")
    original_run_id: str | None = Field(default=None, description="The run that this one replays.")
    signal: str | None = Field(default=None, description="The signal that a step waits for.")
    request: str | None = Field(default=None, description="The request that is made for a step, without its query.")
    attempt: int | None = None
    attempts: int | None = None
    started_at: Time | None = None
    took_ms: int | None = None
    error: ErrorBody | None = None
    cause: CauseBody | None = None
    reason: str | None = None
    message: str | None = None


class Timeline(Shape):
    data: list[TimelineEntry]
    metadata: Metadata
