"""An idempotency key: one run for each value in 24 hours."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from chalicelib.core import limits


class Claim(BaseModel):
    """Whose the value is, and until when."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    until_ms: int


def claim(held: Claim | None, run_id: str, now_ms: int) -> Claim:
    """The claim as it is afterwards: the one that is held, while it lasts; else one of this run's own."""
    if held is not None and (held.run_id == run_id or now_ms < held.until_ms):
        return held
    return Claim(run_id=run_id, until_ms=now_ms + limits.EVENT_ID_WINDOW_MS)
