"""Events."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from chalicelib.core.joining import JoinKind
from chalicelib.web.models.common import Error, Metadata, PageMetadata, Shape, Time
from chalicelib.web.models.operations import PauseBody
from chalicelib.web.models.runs import RunBody


class Accepted(Shape):
    ids: list[str] = Field(description="The internal ids of the events, in their order.")
    status: int


class RefusedEvent(Shape):
    index: int = Field(description="Which event of the request, from 0.")
    error: str


class NotAccepted(Error):
    """A request of which some events, or all, were not accepted."""

    ids: list[str] | None = Field(default=None, description="The internal ids of the events that were accepted.")
    errors: list[RefusedEvent] | None = Field(default=None, description="Each event that was refused, and why.")


class EventBody(Shape):
    internal_id: str = Field(description="Our id of the event.")
    source: str = Field(description="How it came: `api`, `step`, `schedule`, `run`, `eventbridge:<its source>`.")
    received_at: Time
    id: str = Field(description="The sender's id, or ours where none was given.")
    name: str
    data: dict[str, Any]
    user: dict[str, Any]
    ts: int = Field(description="The sender's time, or ours, in milliseconds since the epoch.")
    v: str | None


_After = Annotated[int, Field(description="Milliseconds since the event was accepted.")]


class Times(Shape):
    """When each stage of an event's processing was done, and how long it took in milliseconds. Null: not yet, or not
    kept (events of earlier versions)."""

    began_at: Time = Field(description="When its processing began.")
    recorded_at: Time | None
    matched_at: Time | None = Field(
        description="When every wait and cancellation that it meets had been told, or of many the first ones."
    )
    queue_ms: int = Field(description="From its acceptance until its processing began.")
    record_ms: int | None = Field(description="From then until it was recorded.")
    match_ms: int | None = Field(description="From then until everything that it meets had been told.")


class Started(Shape):
    function_id: str
    run_id: str
    at: Time | None = Field(description="When the run was created; null when it is not there (yet).")
    after_ms: _After | None


class NotStarted(Shape):
    function_id: str
    reason: str


class JoinedBody(Shape):
    """Instead of starting a run of its own, an event joins a debounce or a batch of its function's."""

    function_id: str
    kind: JoinKind
    key: str | None = Field(description="The value of the key, as JSON; null without a key.")
    run_id: str | None = Field(description="The run that this becomes; null when it has not joined yet.")
    at: Time | None = Field(description="When it joined.")
    until: Time | None = Field(description="When the run starts, as far as is known now; null once it is there.")
    used: bool | None = Field(
        description="Whether the run has this event: false where a debounce took a later one, null before it is there."
    )


class FlowNote(Shape):
    function_id: str
    note: str = Field(description="A key of flow control that could not be evaluated, and what that means.")


class ResumedRun(Shape):
    run_id: str
    step_id: str | None
    at: Time
    after_ms: _After


class CancelledRun(Shape):
    run_id: str
    at: Time
    after_ms: _After


class MissedPause(PauseBody):
    because: str = Field(description="The one condition that did not hold, with the values of both sides.")


class NearlyMet(Shape):
    """Waits and cancellations that are open still and that the event missed by one condition."""

    pauses: list[MissedPause] = Field(description="At most 20, and at most 5 of one function with one condition.")
    is_complete: bool = Field(description="False where there may be more: the search is bounded.")


class EventAudit(EventBody):
    """An event, and everything that it caused."""

    processed_at: Time
    times: Times
    started: list[Started]
    not_started: list[NotStarted]
    joined: list[JoinedBody]
    notes: list[FlowNote]
    resumed: list[ResumedRun] = Field(description="In the order of their ids; `cursor` shows the next of both lists.")
    cancelled: list[CancelledRun]
    nearly_met: NearlyMet | None = Field(description="Why not? Null on further pages.")


class Events(Shape):
    data: list[EventBody]
    metadata: PageMetadata


class EventAnswer(Shape):
    data: EventAudit
    metadata: PageMetadata


class EventRuns(Shape):
    data: list[RunBody]
    metadata: Metadata
