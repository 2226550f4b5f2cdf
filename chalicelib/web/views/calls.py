"""`/v1/checkpoint/{run_id}/async`: for apps that are called."""

from __future__ import annotations

from typing import Any

from chalicelib.engine import checkpoints
from chalicelib.engine.checkpoints import InvalidCheckpoint
from chalicelib.web.models import CheckpointRequest
from chalicelib.web.views.wrapping import wrap
from chalicelib.wiring import Platform


def checkpoint(p: Platform, run_id: str, body: CheckpointRequest) -> dict[str, Any]:
    """They are recorded at once, so that the app can go on. 409: the call is over, or another has taken its place."""
    from chalicelib.core.calls import Operations
    from chalicelib.core.sdk_protocol.opcodes import Told, operations

    if body.run_id not in (None, run_id):
        raise InvalidCheckpoint(f"the path names the run {run_id!r}, the body {body.run_id!r}")
    ops = operations(body.steps, Told(p.clock.now_ms()))
    checkpoints.record(p.services, run_id, body.qi_id, Operations(ops))
    return wrap(p, {"run_id": run_id, "steps": len(ops)})
