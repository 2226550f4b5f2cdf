"""Replays."""

from __future__ import annotations

from pydantic import Field

from chalicelib.core import limits
from chalicelib.web.models.bodies import Body


class RunReplayRequest(Body):
    from_step: str | None = Field(
        default=None,
        min_length=1,
        max_length=limits.MAX_STEP_NAME_CHARS,
        description="The name or id of a step: what had ended before it is not executed again. `name:1` is the second "
        "step of a name. Without it the run is replayed from its start.",
    )
