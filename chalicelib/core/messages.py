"""What travels on the queues. Every field that a later version adds has a default: old messages stay readable."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from chalicelib.core.bulk import Place
from chalicelib.core.cancellations import Cancellation
from chalicelib.core.concurrency import Woken
from chalicelib.core.errors import StepwellError
from chalicelib.core.events import Event
from chalicelib.core.joining import JoinKind
from chalicelib.core.replays import Replay
from chalicelib.core.runs import Invoker
from chalicelib.core.stored import Stored
from chalicelib.core.timeouts import Timeout


class EventMessage(Stored):
    """An accepted event. With `target`, it starts that function alone (an invocation, a schedule)."""

    kind: Literal["event"] = "event"
    event: Event
    target: str | None = None
    invoker: Invoker | None = None
    cron: str | None = None


class LifecycleMessage(Stored):
    """The end of a run, told as an event of ours; its contents are read from the run."""

    kind: Literal["lifecycle"] = "lifecycle"
    run_id: str
    name: str


class LookBackMessage(Stored):
    """Go on looking back for what cancelled a run before it existed, among the events called `name` that stand behind
    `position`; then drive the run."""

    kind: Literal["look_back"] = "look_back"
    run_id: str
    name: str
    position: str


class MatchPageMessage(Stored):
    """Go on with what an event meets under one key of the index, behind `after`. `page` counts them, for the logs."""

    kind: Literal["match_page"] = "match_page"
    event_id: str
    key: str
    after: str = ""
    page: int = 1


class CancellationMessage(Stored):
    """Go on with a bulk cancellation from a place."""

    kind: Literal["cancellation"] = "cancellation"
    cancellation: Cancellation
    place: Place = Place()


class ReplayMessage(Stored):
    """Go on with a replay of many runs from a place."""

    kind: Literal["replay"] = "replay"
    replay: Replay
    place: Place = Place()


class ResumeMessage(Stored):
    """End a pause of a function, if it is still this one, and wake those of its runs that stand behind `after`."""

    kind: Literal["resume"] = "resume"
    fn_id: str
    pause_id: str
    after: tuple[int, str] | None = None


class TurnMessage(Stored):
    """Drive a run. Not before `due_ms`, if that is set; `step_id` is the step whose time it is; `woken`: it stood in
    line for a place. With `timeout`, only look whether that has passed."""

    kind: Literal["turn"] = "turn"
    run_id: str
    due_ms: int | None = None
    step_id: str | None = None
    hop: int = 0
    woken: Woken | None = None
    timeout: Timeout | None = None


class PlannedStepMessage(Stored):
    """Run one step of a parallel group: its attempt number `attempt` (from 0), not before `due_ms`."""

    kind: Literal["planned_step"] = "planned_step"
    run_id: str
    step_id: str
    attempt: int = 0
    due_ms: int | None = None
    woken: Woken | None = None


class JoinDueMessage(Stored):
    """The generation of a debounce or a batch that becomes this run may be due, or is closed. Not before `due_ms`, if
    that is set. `digest` is that of the key's value."""

    kind: Literal["join_due"] = "join_due"
    run_id: str
    fn_id: str
    join: JoinKind
    digest: str
    due_ms: int | None = None


AnyEventMessage = (
    EventMessage
    | LifecycleMessage
    | LookBackMessage
    | MatchPageMessage
    | CancellationMessage
    | ReplayMessage
    | ResumeMessage
)
EventQueueMessage = Annotated[AnyEventMessage, Field(discriminator="kind")]
AnyWorkMessage = TurnMessage | PlannedStepMessage | JoinDueMessage
WorkMessage = Annotated[AnyWorkMessage, Field(discriminator="kind")]

event_queue_messages: TypeAdapter[AnyEventMessage] = TypeAdapter(EventQueueMessage)
work_messages: TypeAdapter[AnyWorkMessage] = TypeAdapter(WorkMessage)
Read = TypeVar("Read")


class UnknownKind(StepwellError):
    """A message of a kind that this release does not know. It stays on the queue, and then among the dead letters."""


def read(messages: TypeAdapter[Read], body: str) -> Read:
    """A message of a queue. Raises UnknownKind, and ValidationError for what is no message of ours."""
    try:
        return messages.validate_json(body)
    except ValidationError as error:
        (first, *_) = error.errors(include_url=False)
        if first["type"] != "union_tag_invalid":
            raise
        raise UnknownKind(
            f"this release knows no messages of kind {first['ctx']['tag']!r}: if a newer one sent it, redrive it when "
            "that is back"
        ) from None
