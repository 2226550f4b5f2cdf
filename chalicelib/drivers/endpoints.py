"""Calls an app's endpoint again for a run that the app began within a request to it.

The request is the one that began the run (method, address, query, a body of JSON), with headers that tell the SDK which
run and step it is called for. It reads events and steps from the API, and always answers with operations.
"""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.core import canonical, limits, signing
from chalicelib.core.calls import CallRequest, ErrorInfo, Raised, Reply
from chalicelib.core.canonical import NoCanonicalForm
from chalicelib.core.clock import Clock
from chalicelib.core.endpoints import HttpRequest, InvalidRequest
from chalicelib.core.functions import FunctionConfig
from chalicelib.core.sdk_protocol import reply_of
from chalicelib.drivers.http import Caller, call_ends_ms
from chalicelib.drivers.transport import Transport, Unanswered


class EndpointDriver:
    """Implements drivers.dispatch.AppDriver. Threads may call at once. `new_id` names each request."""

    def __init__(self, transport: Transport, caller: Caller, clock: Clock, new_id: Callable[[], str]) -> None:
        self._transport = transport
        self._caller = caller
        self._clock = clock
        self._new_id = new_id

    def call(self, _config: FunctionConfig, request: CallRequest) -> Reply:
        """Enter the endpoint once."""
        try:
            began = HttpRequest.read(request.event.data)
            sent, signed = ("", "") if began.json_body is None else canonical.texts(began.json_body)
        except (InvalidRequest, NoCanonicalForm) as error:
            text = f"the request that began the run cannot be sent again: {error}"
            return Raised(ErrorInfo.of("Unsendable", text), retriable=False)
        sender = self._caller.sender()
        now_ms = self._clock.now_ms()
        key = sender.signing_key
        headers = {
            "content-type": began.content_type or "application/json",
            "user-agent": "stepwell",
            "x-inngest-server-kind": sender.kind,
            # SDKs know by these two that it is us who call: so the latter is there, if empty, where nothing is signed.
            "x-run-id": request.run_id,
            "x-inngest-signature": "" if key is None else signing.sign(signed.encode(), key, now_ms // 1000),
            "x-inngest-step-id": request.target or "step",
            "x-inngest-force-step-plan": "true" if request.has_planned or request.plan_only else "false",
            "x-inngest-job-id": request.queue_item_id,
            "x-request-id": self._new_id(),
        }
        try:
            answer = self._transport.send(
                began.method,
                began.url,
                headers,
                sent.encode(),
                until_ms=call_ends_ms(request, now_ms),
                max_bytes=limits.MAX_ANSWER_BYTES,
            )
        except Unanswered as error:
            return Raised(error.info, error.retriable)
        return reply_of(answer, now_ms=self._clock.now_ms(), signing_key=key)
