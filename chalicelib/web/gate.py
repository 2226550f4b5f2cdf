"""What every request passes: the signing key is asked for here, so that no route can forget it, and what chalice itself
answers leaves in our shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chalice.app import Response

from chalicelib.web import dispatch
from chalicelib.web.errors import answer_to, problem
from chalicelib.web.table import Route


class Gate:
    """Chalice's middleware. `origin`: whose pages may call us."""

    def __init__(self, routes: Sequence[Route], origin: str | None) -> None:
        self._open = frozenset((route.method, route.path) for route in routes if route.is_open)
        self._origin = origin

    def __call__(self, request: Any, get_response: Callable[[Any], Response]) -> Response:
        try:
            response = self._refusal(request) or _in_our_shape(get_response(request))
        except Exception as error:
            response = answer_to(error, request)
        if response.status_code >= 500:
            dispatch.count_fault()
        if self._origin is not None:
            # A refusal, too, is to be read by the page that asked.
            response.headers.setdefault("Access-Control-Allow-Origin", self._origin)
        return response

    def _refusal(self, request: Any) -> Response | None:
        if (request.method, request.path) in self._open:
            return None
        keyring = dispatch.platform().keyring
        header = request.headers.get("authorization")
        if keyring is None or keyring.accepts_authorization(header):
            return None
        what = "is not known" if header else "is missing: send it as `Authorization: Bearer signkey-…`"
        return problem(401, f"the signing key {what}", headers={"WWW-Authenticate": "Bearer"})


def _in_our_shape(response: Response) -> Response:
    """Chalice's own errors are {Code, Message}."""
    body = response.body
    if isinstance(body, dict) and set(body) == {"Code", "Message"}:
        message = str(body["Message"])
        return problem(response.status_code, message[:1].lower() + message[1:], headers=response.headers)
    return response
