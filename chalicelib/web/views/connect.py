"""`/v0/connect/start`: an app on an SDK asks where to open the WebSocket through which it wants to be called. Neither a
REST API nor Lambda can hold one, so it is refused."""

from __future__ import annotations

from typing import Final

from chalice.app import Request, Response

from chalicelib.core.errors import NotFound
from chalicelib.wiring import Platform

# An SDK that gets an error asks again, some of them for ever and without a word of what was answered (inngest 4.24 on
# npm; 0.5.19 on PyPI tells the status alone). An address that cannot be connected to ends the attempt, and both tell
# its scheme to whoever runs the app. So the scheme is the refusal.
_ADDRESS: Final = "stepwell-cannot-hold-connections-serve-the-app-over-http-instead-of-connect://docs/MIGRATING.md"
_REFUSAL: Final = chr(2 << 3 | 2) + chr(len(_ADDRESS)) + _ADDRESS
"""A StartResponse with its second field, the gateway's address, alone: a text of fewer than 128 characters."""


def start(_p: Platform, request: Request) -> Response:
    """SDKs ask in protobuf, and get an answer that makes them stop and tell why; everybody else is told in words."""
    if not request.headers.get("content-type", "").startswith("application/protobuf"):
        raise NotFound(
            "there is no Connect here: Stepwell runs on Lambda and cannot hold connections. Serve the app over HTTP, "
            "and register it (docs/MIGRATING.md)"
        )
    return Response(body=_REFUSAL, headers={"Content-Type": "application/protobuf"})
