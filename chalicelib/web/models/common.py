"""What all answers are made of. Names follow the SDK protocol."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, RootModel

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-24T09:00:00.000Z"])]


class Shape(BaseModel):
    """Nothing is answered that is not described."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Metadata(Shape):
    fetched_at: Time = Field(description="When this was read.")
    cached_until: Time | None = Field(default=None, description="Always null: nothing is answered from a cache.")


class PageMetadata(Metadata):
    cursor: str | None = Field(default=None, description="Where the next page begins; absent on the last one.")


class Error(Shape):
    error: str = Field(description="What is wrong and, where we know it, what would be right.")
    status: int = Field(description="The HTTP status.")


class Elsewhere(Shape):
    url: str = Field(description="Where the answer lies; the `Location` header says the same.")


class Index(Shape):
    service: str
    routes: dict[str, str] = Field(description="Method and path, and what they do.")


class Health(Shape):
    status: str
    stage: str
    functions: int = Field(description="How many functions this deployment has.")


class ConnectRefusal(RootModel[str]):
    """A start response of the Connect protocol whose gateway cannot be connected to: its address says why."""

    content_type: ClassVar[str] = "application/protobuf"


class OpenApi(BaseModel):
    """An OpenAPI document."""

    model_config = ConfigDict(frozen=True, extra="allow")

    openapi: str
