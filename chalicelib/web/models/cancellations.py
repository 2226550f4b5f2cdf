"""Bulk cancellations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from chalicelib.core import limits
from chalicelib.web.models.bodies import Body
from chalicelib.web.models.common import Metadata, PageMetadata, Shape, Time
from chalicelib.web.models.parameters import moment


def _time(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError("must be a time such as 2026-11-24T09:00:00Z")
    return moment(value)


BodyTime = Annotated[int, BeforeValidator(_time), WithJsonSchema({"type": "string", "format": "date-time"})]


class CancellationRequest(Body):
    app_id: str = Field(
        default="", max_length=limits.MAX_FUNCTION_ID_CHARS, description="The app of the function, if it has one."
    )
    function_id: str = Field(
        min_length=1, max_length=limits.MAX_FUNCTION_ID_CHARS, description="The function, as its app calls it."
    )
    started_after: BodyTime | None = Field(default=None, description="Only runs started at this time or later.")
    started_before: BodyTime = Field(description="Only runs started before this time, which is not in the future.")
    if_: str | None = Field(
        default=None, alias="if", description="Only runs whose event fulfils this condition: `event.data.n == 1`."
    )


class CancellationBody(Shape):
    id: str
    app_id: str | None
    function_id: str = Field(description="The function, as its runs call it.")
    started_after: Time | None
    started_before: Time
    if_: str | None = Field(alias="if")
    created_at: Time
    status: Literal["Running", "Completed", "Stopped"]
    ended_at: Time | None
    looked_at: int = Field(description="How many runs of that time were looked at, ended ones too.")
    cancelled: int = Field(
        description="How many runs it has cancelled. Those that were started within two minutes before it was created "
        "are cancelled at once, and counted when it is completed."
    )
    errors: int = Field(description="How many events the condition could not be tested against: their runs go on.")


class CancellationAnswer(Shape):
    data: CancellationBody
    metadata: Metadata


class Cancellations(Shape):
    data: list[CancellationBody]
    metadata: PageMetadata
