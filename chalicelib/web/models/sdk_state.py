"""What SDKs read of a run: bare, as they expect it."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, RootModel

from chalicelib.web.models.common import Shape
from chalicelib.web.models.runs import ErrorBody


class StepData(Shape):
    data: Any = Field(description="What the step returned.")


class StepFailure(Shape):
    error: ErrorBody


class EventPayload(Shape):
    name: str
    data: dict[str, Any]
    id: str
    ts: int
    user: dict[str, Any] | None = None
    v: str | None = None


class Actions(RootModel[dict[str, StepData | StepFailure | EventPayload | None]]):
    """The ended steps by their hashed ids, in the order in which they ended: what a step returned, the error that it
    ended with, the event that a wait met; null for a sleep, and for a wait that met none."""

    model_config = ConfigDict(frozen=True)


class RunEvents(RootModel[list[EventPayload]]):
    """Events as functions see them."""

    model_config = ConfigDict(frozen=True)
