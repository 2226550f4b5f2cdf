"""Replays: of a run, of many."""

from __future__ import annotations

from typing import Any

from chalicelib.engine import replays
from chalicelib.web.models import RunReplayRequest
from chalicelib.web.views.wrapping import wrap
from chalicelib.wiring import Platform


def replay(p: Platform, run_id: str, body: RunReplayRequest) -> dict[str, Any]:
    """The answer is the new run: the same function and event. The run itself stays as it is, and may still be open.
    Each request makes a run; a request that got no answer may have made one, which the run's timeline tells."""
    return wrap(p, replays.replay(p.services, run_id, body.from_step).wire())
