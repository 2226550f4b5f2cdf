"""Dead letters."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chalicelib.web.models.common import Metadata, Shape, Time

Queue = Literal["events", "work"]


class DeadLetter(Shape):
    """A message that nobody could handle."""

    id: str
    queue: Queue = Field(description="The queue that it came from.")
    kind: Literal[
        "cancellation",
        "replay",
        "resume",
        "event",
        "lifecycle",
        "look_back",
        "match_page",
        "eventbridge",
        "turn",
        "planned_step",
        "join_due",
        "unreadable",
    ] = Field(
        description=(
            "`event`: from HTTP or a step; `eventbridge`: from the bus; `lifecycle`: tells the end of a run; "
            "`look_back`: begins one; `match_page`: goes on with whom an event meets; "
            "`cancellation`, `replay`: a page of many runs; `resume`: wakes those of a function that was paused; "
            "`turn`, `planned_step`: drives a run; `join_due`: creates that of a debounce or a batch; "
            "`unreadable`: not a message of Stepwell's."
        )
    )
    run_id: str | None
    event_id: str | None
    event_name: str | None
    reason: str = Field(description="Why it could not be handled.")
    receives: int | None = Field(description="How often it was delivered; null where SQS moved the message by itself.")
    since: Time = Field(description="When the message was sent first.")
    died_at: Time | None = Field(description="When it was given up; null where SQS moved the message by itself.")
    body: str = Field(description="The beginning of the message, 500 characters at most.")
    body_chars: int
    payload: str | None = Field(description="Where in the payload bucket a large message lies.")


class Count(Shape):
    visible: int = Field(description="Letters that could be seen when this was asked.")
    in_flight: int = Field(
        description="Letters in the hands of another viewer, or of one that stopped: they show again within 30 s."
    )
    approximate: Literal[True]


class Counts(Shape):
    events: Count | None = None
    work: Count | None = None


class DeadLettersMetadata(Metadata):
    queues: Counts


class DeadLettersAnswer(Shape):
    data: list[DeadLetter]
    metadata: DeadLettersMetadata


class DeadLetterAnswer(Shape):
    data: DeadLetter
    metadata: Metadata


class Redriven(Shape):
    redriven: int = Field(description="How many letters were sent back.")
    remaining: int = Field(description="About how many are left: ask again until none are.")
    approximate: Literal[True] = Field(description="SQS counts approximately: of `remaining`.")


class RedrivenAnswer(Shape):
    data: Redriven
    metadata: Metadata
