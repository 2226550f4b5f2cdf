"""The test kit's platform behind the Lambda handlers of app.py, as a deployment has it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

import app as entry_points
from chalicelib import wiring
from chalicelib.core.errors import StepwellError
from chalicelib.testing import Stepwell
from chalicelib.testing.session import kit_session
from chalicelib.web.rest_events import match
from infra.local.context import LambdaContext
from infra.local.gateway import Request, answer_of, proxy_event
from infra.local.schedule import scheduled_event
from tests.infra.permissions import acting

SIGNING_KEY = "signkey-test-" + "ab" * 32
QUEUES = {"events": "on_event", "work": "on_work"}


class Deployed:
    """Delivers, ticks and asks; each call to AWS is made by the function that would make it."""

    def __init__(self, kit: Stepwell, patch: pytest.MonkeyPatch) -> None:
        self.kit = kit
        patch.setattr(wiring, "platform", lambda: kit.platform)
        ssm: Any = kit_session().create_client("ssm")
        for name, value in (("event-keys", "k" * 32), ("signing-keys", SIGNING_KEY)):
            ssm.put_parameter(Name=f"{kit.platform.config.keys_path}/{name}", Value=value, Type="SecureString")

    def deliver(
        self, queue: Any, records: list[Any] | None = None, *, receives: int | None = None, acknowledge: bool = True
    ) -> bool:
        """One batch to its handler, as Lambda delivers it; whether there was one."""
        function = QUEUES[queue]
        with acting(function):
            found = self.kit.pump.hold(queue, 10 if queue == "events" else 1) if records is None else records
            if not found:
                return False
            if receives is not None:
                for one in found:
                    one["attributes"]["ApproximateReceiveCount"] = str(receives)
            with contextlib.suppress(StepwellError):  # Some stay on the queue.
                result = getattr(entry_points, function)({"Records": found}, LambdaContext(function, 120.0))
                failed = {one["itemIdentifier"] for one in result["batchItemFailures"]}
                if acknowledge:
                    self.kit.pump.lose(queue, [one for one in found if one["messageId"] not in failed])
        return True

    def drain(self) -> None:
        """Until nothing is visible."""
        while self.deliver("events") or self.deliver("work"):
            pass

    def schedule(self, function: str) -> None:
        """What EventBridge calls."""
        with acting(function):
            now_ms = self.kit.platform.clock.now_ms()
            getattr(entry_points, function)(scheduled_event(function, now_ms), LambdaContext(function, 50.0))

    def pass_time(self, by: str) -> None:
        """The clock moves; what is due then happens, late."""
        self.kit.advance_only(by)
        self.schedule("on_tick")
        self.drain()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The API's answer to the operator."""
        headers = [("Host", "localhost"), ("Authorization", f"Bearer {SIGNING_KEY}")]
        headers += [("Content-Type", "application/json")] if body is not None else []
        data = b"" if body is None else json.dumps(body).encode()
        found = match(path.partition("?")[0], entry_points.app.routes)
        assert found is not None, f"there is no {path}"
        request = Request(method, path, headers, data)
        with acting("api_handler"):
            event = proxy_event(request, *found, entry_points.app.api.binary_types)
            answer = answer_of(entry_points.app(event, LambdaContext("api", 29.0)))
        return answer.status, json.loads(answer.body)

    def send(self, name: str, **data: Any) -> str:
        """Send an event over HTTP, without letting anything happen yet; its id."""
        self.kit.advance_only(1)
        status, answer = self.ask("POST", f"/e/{'k' * 32}", {"name": name, "data": data})
        assert status == 200, answer
        self.kit.advance_only(1)
        sent: str = answer["ids"][0]
        return sent
