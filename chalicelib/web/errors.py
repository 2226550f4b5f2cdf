"""Errors as HTTP answers: `{error, status}`, in words that say what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalice.app import Response

from chalicelib.core.errors import Conflict, InfrastructureError, NotFound, StaleCheckpoint, TooLarge, UserError
from chalicelib.engine.logs import logger

# What is wrong may be as long as what was sent: an answer is not, since Lambda lets none be larger than 6 MB.
_MAX_CHARS = 2_000


def shortened(message: str) -> str:
    """A message as it is told."""
    return message if len(message) <= _MAX_CHARS else message[: _MAX_CHARS - 1] + "…"


def problem(status: int, message: str, /, *, headers: Mapping[str, Any] | None = None, **more: Any) -> Response:
    """An error's answer."""
    body = {"error": shortened(message), "status": status, **more}
    return Response(body=body, status_code=status, headers=dict(headers or {}))


def answer_to(error: Exception, request: Any) -> Response:
    """The answer when a request ended with this error; what is inside us goes to the log alone."""
    if isinstance(error, NotFound):
        return problem(404, str(error))
    if isinstance(error, Conflict | StaleCheckpoint):
        return problem(409, str(error))
    if isinstance(error, TooLarge):
        return problem(413, str(error))
    if isinstance(error, UserError):
        return problem(400, str(error))
    request_id = request.context.get("requestId", "unknown")
    # The route and not the address: that may hold an event key.
    told = {"request_id": request_id, "route": f"{request.method} {request.path}"}
    if isinstance(error, InfrastructureError):
        logger.error("request failed", extra={**told, "error": str(error)})
        return problem(503, "the service cannot be reached right now; try again")
    logger.error("request failed unexpectedly", exc_info=error, extra=told)
    return problem(500, f"something is wrong with the service; its log tells more under the request id {request_id}")
