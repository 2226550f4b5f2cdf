"""What waits: pauses, and the backlog."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chalicelib.web.models.common import Metadata, PageMetadata, Shape, Time


class PauseBody(Shape):
    """A wait of a run, or what would cancel it: every event of this name is checked against it."""

    kind: Literal["wait", "cancel"]
    event: str
    condition: str | None
    run_id: str
    function_id: str
    step: str | None = Field(description="The step that waits; null for a cancellation.")
    step_id: str | None
    since: Time = Field(description="Only events accepted after this time count.")
    until: Time | None = Field(description="Until when events count; null for as long as the run lives.")


class Pauses(Shape):
    data: list[PauseBody]
    metadata: PageMetadata


class Figure(Shape):
    count: int
    approximate: bool = Field(description="False where it was counted, true where it is estimated.")


class Stage(Figure):
    stage: Literal[
        "events",
        "wait_matching",
        "cancel_matching",
        "starts",
        "work",
        "work_delayed",
        "work_in_flight",
        "dead_events",
        "dead_work",
        "timers",
    ]
    about: str
    oldest_age_s: int | None = Field(
        description="How old the oldest message of the queue, or the oldest run that has not begun, is; of a sample, "
        "the oldest in it. Null where not known."
    )


class Sample(Shape):
    """What estimates are made from."""

    looked_at: int = Field(description="How many items of the table were looked at.")
    of: int = Field(description="How many there were, as DynamoDB knew it some hours ago.")
    is_complete: bool = Field(description="True when all were looked at: then nothing is estimated.")


class RunFigures(Shape):
    by_status: dict[str, Figure]
    stalled: Figure = Field(description="Runs whose message is among the dead letters.")
    sample: Sample


class WaitFigures(Shape):
    event: str
    waits: int
    cancellations: int
    approximate: bool


class Waits(Shape):
    by_event: list[WaitFigures] = Field(description="The 50 names that are waited for most.")
    sample: Sample


class BacklogBody(Shape):
    stages: list[Stage]
    runs: RunFigures
    waits: Waits
    notes: list[str] = Field(description="How to read the figures.")


class BacklogAnswer(Shape):
    data: BacklogBody
    metadata: Metadata
