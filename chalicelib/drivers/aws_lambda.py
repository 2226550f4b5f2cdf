"""Calls apps on an SDK that are Lambda functions of the same account, by their ARN and with IAM."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Protocol

from chalicelib.core import limits
from chalicelib.core.calls import CallRequest, ErrorInfo, Raised, Reply
from chalicelib.core.canonical import NoCanonicalForm
from chalicelib.core.clock import Clock
from chalicelib.core.errors import UserError
from chalicelib.core.functions import FunctionConfig
from chalicelib.core.sdk_protocol import Answer, Sender, prepare, reply_of
from chalicelib.core.sdk_protocol.lambda_event import (
    Endpoint,
    Invoked,
    NotInvoked,
    answer_of,
    endpoint_of,
    event_of,
    is_too_large,
)
from chalicelib.core.sdk_protocol.texts import Broken
from chalicelib.drivers.http import Caller, call_ends_ms, unsendable
from chalicelib.drivers.transport import Unanswered


class Invoker(Protocol):
    """Invokes Lambda functions."""

    def invoke(self, arn: str, payload: bytes, *, timeout_ms: int) -> Invoked:
        """Run the function and wait for its answer. Raises NotInvoked."""
        ...


class LambdaTransport:
    """HTTP requests to apps that are Lambda functions."""

    def __init__(self, invoker: Invoker, clock: Clock, new_id: Callable[[], str]) -> None:
        self._invoker = invoker
        self._clock = clock
        self._new_id = new_id

    def payload(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """The request as Lambda takes it."""
        event = event_of(method, url, headers, body, now_ms=self._clock.now_ms(), request_id=self._new_id())
        return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()

    def send(self, endpoint: Endpoint, payload: bytes, *, until_ms: int) -> Answer:
        """The app's answer. Raises Unanswered."""
        timeout_ms = max(limits.SECOND_MS, until_ms - self._clock.now_ms())
        try:
            found = answer_of(self._invoker.invoke(endpoint.arn, payload, timeout_ms=timeout_ms))
        except NotInvoked as error:
            raise Unanswered(error.name, str(error)) from error
        except Broken as error:
            raise Unanswered("NotAnSdk", f"the Lambda function {endpoint.name!r}: {error}") from error
        if isinstance(found, ErrorInfo):
            text = f"the Lambda function {endpoint.name!r} died: {found.message}"
            raise Unanswered(found.name, text, retriable=not is_too_large(found), stack=found.stack)
        return found


class LambdaDriver:
    """Implements drivers.dispatch.AppDriver. Threads may call at once."""

    def __init__(self, transport: LambdaTransport, caller: Caller, clock: Clock, new_id: Callable[[], str]) -> None:
        self._transport = transport
        self._caller = caller
        self._clock = clock
        self._new_id = new_id

    def call(self, config: FunctionConfig, request: CallRequest) -> Reply:
        """Enter the function once."""
        try:
            endpoint = endpoint_of(config.endpoint or "")
        except UserError as error:
            return Raised(ErrorInfo.of("AppMissing", f"the function {config.id!r}: {error}"))
        sender = self._caller.sender()
        until_ms = call_ends_ms(request, self._clock.now_ms())
        try:
            answer = self._transport.send(endpoint, self._payload(endpoint, request, sender), until_ms=until_ms)
        except Unanswered as error:
            return Raised(error.info, error.retriable)
        except NoCanonicalForm as error:
            return unsendable(error)
        return reply_of(answer, now_ms=self._clock.now_ms(), signing_key=sender.signing_key)

    def _payload(self, endpoint: Endpoint, request: CallRequest, sender: Sender) -> bytes:
        """Raises Unanswered where even without steps and events it is larger than Lambda takes."""
        for use_api in (False, True):
            sent = prepare(
                request,
                endpoint.url,
                sender,
                now_ms=self._clock.now_ms(),
                request_id=self._new_id(),
                use_api=use_api,
            )
            payload = self._transport.payload("POST", sent.url, sent.headers, sent.body)
            # The body is a text within the payload, so it takes more than its own bytes.
            if len(payload) <= limits.MAX_INVOKE_BYTES:
                return payload
        raise Unanswered(
            "LimitExceeded",
            f"the call has {len(payload):,} bytes, its event most of them; Lambda takes {limits.MAX_INVOKE_BYTES:,} of "
            "an invocation: keep large data elsewhere and send references, or serve the app over HTTP",
            retriable=False,
        )
