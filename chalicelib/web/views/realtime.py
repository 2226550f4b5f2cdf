"""`/v1/realtime/…`: streams of what runs publish, which SDKs know and Stepwell does not have."""

from __future__ import annotations

from chalice.app import Response

from chalicelib.web.errors import problem
from chalicelib.wiring import Platform


def publish(_p: Platform) -> Response:
    return _refusal()


def tee(_p: Platform) -> Response:
    return _refusal()


def token(_p: Platform) -> Response:
    return _refusal()


def subscribe(_p: Platform) -> Response:
    return _refusal()


def _refusal() -> Response:
    return problem(
        501,
        "Stepwell has no realtime streams: no connection to it stays open. GET /v1/runs/{id} tells how a run stands",
    )
