"""`/v1/checkpoint` and `/v1/http/runs`: runs that apps begin within a request to them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any, Final

from chalice.app import APIGateway, Response

from chalicelib.core import signing
from chalicelib.core.runs import Ending, RunStatus
from chalicelib.core.sdk_protocol.gateway import HEADER_NAME
from chalicelib.engine import endpoint_runs
from chalicelib.web.errors import problem
from chalicelib.web.models import NewRunRequest, ResultQuery, RunStepsRequest
from chalicelib.web.views.wrapping import wrap
from chalicelib.wiring import Platform

# Of local development, where nobody is kept from anything.
_DEV_KEY: Final = "dev"
_LOOKS: Final = 20
_BETWEEN_S: Final = 0.25
# What belongs to the connection and not to the answer.
_NOT_PASSED_ON: Final = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"})
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e]{0,8192}")
# Chalice wants bytes for these, and whoever asks to accept them; an SDK tells every body as a text.
_BINARY: Final = frozenset({*APIGateway().binary_types, "*/*"})


def begin(p: Platform, body: NewRunRequest) -> dict[str, Any]:
    """The app holds the run until it leaves it to Stepwell (by a step that waits, sleeps, is planned or failed) or ends
    it. Repeating the request changes nothing."""
    begun = endpoint_runs.begin(
        p.services, body.run_id, body.event, body.steps, body.retries, p.reception.next_us(p.clock.now_ms())
    )
    token = _token(p, begun.run_id)
    return wrap(
        p,
        {
            "run_id": begun.run_id,
            "fn_id": begun.fn_id,
            "app_id": begun.app_id,
            "token": token,
            "realtime_token": token,
        },
    )


def steps(p: Platform, run_id: str, body: RunStepsRequest) -> dict[str, Any]:
    """Refused with 409 when the run is not the app's any more: the app must stop working on it."""
    endpoint_runs.checkpoint(p.services, run_id, body.steps)
    return wrap(p, {"run_id": run_id})


def output(p: Platform, run_id: str, params: ResultQuery) -> Response:
    """As `/v1/http/runs/{run_id}/output`."""
    return result(p, run_id, params)


def result(p: Platform, run_id: str, params: ResultQuery) -> Response:
    """Waits up to five seconds for the run's end. No signing key is asked for: the token opens this one result."""
    if not _is_right(p, run_id, params.token):
        return problem(401, "this token does not open the result of this run")
    for look in range(_LOOKS):
        if look:
            time.sleep(_BETWEEN_S)
        ending = endpoint_runs.ending_of(p.services, run_id)
        if ending is not None:
            return _told(ending)
    later = {"status": "running", "message": "the run has not ended yet; ask again"}
    return Response(body=later, status_code=202, headers={"Retry-After": "1"})


def _told(ending: Ending) -> Response:
    if ending.status is RunStatus.CANCELLED:
        return problem(409, "the run was cancelled")
    if ending.status is not RunStatus.COMPLETED:
        error = ending.error
        return problem(500, "the run failed" if error is None else f"the run failed: {error.name}: {error.message}")
    return _of_app(ending.output)


def _of_app(output: Any) -> Response:
    """The answer that the app made, as the SDK tells it: status, headers and a body of text."""
    if not isinstance(output, Mapping) or not isinstance(output.get("status"), int) or "body" not in output:
        # As JSON, a text too: chalice would send it as it is.
        return Response(body=json.dumps(output), status_code=200, headers={"Content-Type": "application/json"})
    body, status = output["body"], output["status"]
    return Response(
        body="" if body is None else body,
        status_code=status if 200 <= status < 600 else 200,
        headers=_passed_on(output.get("headers")),
    )


def _passed_on(given: object) -> dict[str, str]:
    """The app's headers, but for what is none and would make the answer unreadable."""
    headers = {
        str(name).lower(): str(value)
        for name, value in (given.items() if isinstance(given, Mapping) else ())
        if str(name).lower() not in _NOT_PASSED_ON
        and HEADER_NAME.fullmatch(str(name))
        and _HEADER_VALUE.fullmatch(str(value))
    }
    content_type = headers.setdefault("content-type", "application/json")
    if _BINARY.intersection(part.strip().lower() for part in re.split("[,;]", content_type)):
        headers["content-type"] = "text/plain; charset=utf-8"
    return headers


def _token(p: Platform, run_id: str) -> str:
    return signing.run_token(run_id, _DEV_KEY) if p.keyring is None else p.keyring.run_token(run_id)


def _is_right(p: Platform, run_id: str, token: str) -> bool:
    if p.keyring is None:
        return signing.is_one_of(token, [signing.run_token(run_id, _DEV_KEY)])
    return p.keyring.accepts_run_token(run_id, token)
