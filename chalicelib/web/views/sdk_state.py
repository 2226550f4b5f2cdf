"""`/v0/runs/{id}/…`: what SDKs ask for when a call tells them to (`use_api`)."""

from __future__ import annotations

from chalice.app import Request, Response

from chalicelib.core.sdk_memos import steps_wire
from chalicelib.engine import query
from chalicelib.web.large import bare
from chalicelib.wiring import Platform


def actions(p: Platform, run_id: str, request: Request) -> Response:
    """Not wrapped in `data`. What a Lambda answer cannot hold is answered by a redirect to S3, which fetch and Go
    follow; the Python SDK does not, and is told so."""
    return bare(p, request, steps_wire(query.load_run(p.services, run_id).steps), f"the steps of run {run_id}")


def batch(p: Platform, run_id: str, request: Request) -> Response:
    """Not wrapped in `data`. Large ones as for the steps."""
    events = [event.payload() for event in query.trigger_events(p.services, run_id)]
    return bare(p, request, events, f"the events of run {run_id}")
