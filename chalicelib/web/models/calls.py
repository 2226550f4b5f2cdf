"""What an app tells while it is called."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from chalicelib.core import limits
from chalicelib.web.models.bodies import Body
from chalicelib.web.models.common import Metadata, Shape


class CheckpointRequest(Body):
    """SDKs tell more than is needed; what is not named here is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    run_id: str | None = Field(default=None, description="The run, as in the path.")
    qi_id: str = Field(min_length=1, max_length=500, description="The call, as its `ctx.qi_id` names it.")
    steps: list[Any] = Field(
        max_length=limits.MAX_STEPS, description="Operations of steps that have ended, as they stand in an answer."
    )


class Checkpointed(Shape):
    run_id: str
    steps: int = Field(description="How many steps are recorded by it.")


class CheckpointAnswer(Shape):
    data: Checkpointed
    metadata: Metadata
