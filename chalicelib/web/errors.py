"""Errors as HTTP answers: `{error, status}`, in words that say what to do."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

from chalice.app import Response

from chalicelib.core.errors import InfrastructureError, NotFound, UserError
from chalicelib.engine.services import logger

P = ParamSpec("P")


def problem(status: int, message: str, **more: Any) -> Response:
    """An error's answer."""
    return Response(body={"error": message, "status": status, **more}, status_code=status)


def answered(view: Callable[P, Any]) -> Callable[P, Any]:
    """Turns the domain's errors into answers."""

    @functools.wraps(view)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return view(*args, **kwargs)
        except NotFound as error:
            return problem(404, str(error))
        except UserError as error:
            return problem(400, str(error))
        except InfrastructureError as error:
            logger.error("request failed", extra={"error": str(error)})
            return problem(503, "the service cannot be reached right now; try again")

    return wrapped
