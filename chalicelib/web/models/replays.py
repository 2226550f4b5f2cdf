"""Replays."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chalicelib.core import limits
from chalicelib.web.models.bodies import Body
from chalicelib.web.models.cancellations import BodyTime
from chalicelib.web.models.common import Metadata, PageMetadata, Shape, Time


class RunReplayRequest(Body):
    from_step: str | None = Field(
        default=None,
        min_length=1,
        max_length=limits.MAX_STEP_NAME_CHARS,
        description="The name or id of a step: what had ended before it is not executed again. `name:1` is the second "
        "step of a name. Without it the run is replayed from its start.",
    )


Replayed = Literal["Failed", "Cancelled", "Completed"]


class ReplayRequest(Body):
    status: Replayed = Field(default="Failed", description="Only runs that ended so.")
    after: BodyTime | None = Field(default=None, description="Only runs started at this time or later.")
    before: BodyTime | None = Field(
        default=None, description="Only runs started before this time, which is not in the future; else until now."
    )


class ReplayBody(Shape):
    id: str
    function_id: str
    replays: Replayed = Field(description="Runs that ended so are replayed.")
    after: Time | None
    before: Time
    created_at: Time
    status: Literal["Running", "Completed", "Stopped"]
    ended_at: Time | None
    looked_at: int = Field(description="How many runs of that time were looked at.")
    replayed: int = Field(
        description="How many runs it has replayed. Those that were started within two minutes before it was created "
        "are replayed at once, and counted when it is completed."
    )
    errors: int = Field(description="How many runs could not be replayed, since they had expired.")


class ReplayAnswer(Shape):
    data: ReplayBody
    metadata: Metadata


class Replays(Shape):
    data: list[ReplayBody]
    metadata: PageMetadata
