"""`/v1/signals`."""

from __future__ import annotations

from typing import Any

from chalicelib.core.errors import NotFound
from chalicelib.engine import signals
from chalicelib.web.models import SignalRequest
from chalicelib.web.views.wrapping import wrap
from chalicelib.wiring import Platform


def send(p: Platform, body: SignalRequest) -> dict[str, Any]:
    """It is kept for nobody: where no run waits for it now, the answer is 404."""
    run_id = signals.send(p.services, body.signal, body.data)
    if run_id is None:
        raise NotFound(f"no run waits for the signal {body.signal!r}")
    return wrap(p, {"run_id": run_id})
