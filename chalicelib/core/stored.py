"""What lies in tables and queues is read by the release after this one, and by the one before."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Stored(BaseModel):
    """For what is read, changed and written again: what a newer release has added to it is kept as it is, so that
    going back to this one loses nothing of it."""

    model_config = ConfigDict(frozen=True, extra="allow")
