"""Between botocore and the emulator: counts our calls to AWS, and lets a fault happen at one of them.

It sits below botocore's own retries, so that a lost answer is repeated by botocore, as it would be in production.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber

READS = frozenset({"Query", "GetItem", "BatchGetItem", "Scan", "GetObject"})


class Crash(BaseException):
    """The process has died. No code of ours may catch it; what does so all the same reaches AWS no more."""


class Mode(StrEnum):
    """When the fault happens."""

    BEFORE = "before"
    AFTER = "after"
    LOST = "lost"


@dataclass(frozen=True)
class Point:
    """A fault: at the call with this number (from 0), in this mode."""

    call: int
    mode: Mode


@dataclass(frozen=True)
class Pair:
    """A fault, and a second one `then`, whose call is counted from the first one's."""

    first: Point
    then: Point


@dataclass(frozen=True)
class Call:
    """One call to AWS."""

    number: int
    service: str
    operation: str
    request: AWSPreparedRequest

    @property
    def name(self) -> str:
        return f"{self.service}.{self.operation}"

    @property
    def body(self) -> dict[str, Any]:
        """The request's JSON (DynamoDB, SQS)."""
        body: Any = self.request.body
        found: dict[str, Any] = json.loads(body or b"{}")
        return found

    def rewrite(self, body: dict[str, Any]) -> None:
        """Send another request than was asked for."""
        request: Any = self.request
        request.body = json.dumps(body).encode()


@dataclass(frozen=True)
class Refusal:
    """AWS answers with an error, and nothing has happened."""

    status: int
    code: str
    extra: dict[str, Any] | None = None

    def response(self, call: Call) -> AWSResponse:
        body = {"__type": f"com.amazonaws#{self.code}", "message": "injected", **(self.extra or {})}
        headers = {"x-amzn-RequestId": "injected", "x-amzn-query-error": f"{self.code};Sender"}
        raw = MockRawResponse(json.dumps(body))
        return AWSResponse(call.request.url, self.status, headers, raw)  # type: ignore[arg-type]


Answer = Callable[[Call], AWSResponse]
Rule = Callable[[Call, Answer], AWSResponse | None]
"""Decides about a call: an answer of its own, or None to leave it to the next rule."""


def answer(call: Call) -> AWSResponse:
    """The emulator's answer; the effect has then taken place."""
    response: AWSResponse = botocore_stubber(f"before-send.{call.name}", call.request)
    return response


class Injector:
    """Registered on the session of a platform. Only what happens while it is armed counts and can fail."""

    def __init__(self, after_call: Callable[[Call], None] | None = None) -> None:
        self.calls: list[str] = []
        self.point: Point | None = None
        # After which this one comes, its call counted from that one's.
        self.then: Point | None = None
        # Asked at each call, as long as there is no point: whether a fault is to happen right here.
        self.choose: Callable[[int], Point | None] = lambda _number: None
        self.rules: list[Rule] = []
        self.fired: Call | None = None
        self.had_effect = False
        self.dead = False
        self._armed = False
        self._after_call = after_call

    def install(self, session: Any) -> None:
        """Take the place of moto's own handler on this session."""
        session.unregister("before-send", botocore_stubber)
        session.register("before-send", self._before_send)

    @contextlib.contextmanager
    def armed(self) -> Iterator[None]:
        """Our code runs, as in a Lambda invocation, perhaps while another one does."""
        before, self._armed = self._armed, True
        try:
            yield
        finally:
            self._armed = before

    @property
    def is_armed(self) -> bool:
        """Whether what runs now can fail."""
        return self._armed

    @property
    def has_sent(self) -> bool:
        """Whether the call that failed put something into a queue all the same."""
        return self.had_effect and self.fired is not None and self.fired.service == "sqs"

    def die(self) -> None:
        """Let the process die here. Raises Crash."""
        self.dead = True
        raise Crash

    def _before_send(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        service, operation = event_name.split(".")[1:]
        call = Call(len(self.calls), service, operation, request)
        if not self._armed:
            return answer(call)
        if self.dead:
            raise Crash
        self.calls.append(call.name)
        if self.point is None:
            self.point = self.choose(call.number)
        if self.point is not None and call.number == self.point.call:
            return self._fail(call, self.point.mode)
        for rule in self.rules:
            decided = rule(call, self._carry_out)
            if decided is not None:
                return decided
        return self._carry_out(call)

    def _carry_out(self, call: Call) -> AWSResponse:
        response = answer(call)
        if self._after_call is not None:
            self._after_call(call)
        return response

    def _fail(self, call: Call, mode: Mode) -> AWSResponse:
        self.fired, self.had_effect = call, False
        if self.then is not None:
            self.point, self.then = Point(call.number + self.then.call, self.then.mode), None
        if mode is not Mode.BEFORE:
            self._carry_out(call)
            self.had_effect = True
        if mode is Mode.LOST:
            raise ConnectionClosedError(endpoint_url=call.request.url)
        self.die()
        raise AssertionError("unreachable")
