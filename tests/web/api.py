"""The API as API Gateway calls it, on the test kit's platform."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from app import app
from chalicelib.sdk import Cancel, Context, Function, NonRetriableError, TriggerCron, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell
from chalicelib.testing.session import kit_session
from chalicelib.web import dispatch
from chalicelib.web.rest_events import match
from infra.local.context import LambdaContext
from infra.local.gateway import Request, answer_of, proxy_event
from tests.web import described

SIGNING_KEY = "signkey-test-" + "0f" * 32
OLD_SIGNING_KEY = "signkey-test-" + "a1" * 32


@function(
    fn_id="greet",
    trigger=TriggerEvent(event="demo/greet", expression="event.data.size / event.data.parts < 10 || true"),
    cancel=Cancel(event="demo/stop", if_exp="async.data.who != 'nobody'", timeout="1h"),
)
def greet(ctx: Context) -> Any:
    if ctx.event.data.get("wait"):
        ctx.step.wait_for_event(
            "wait",
            event="demo/go",
            if_exp="async.data.who == event.data.name || async.data.all == true",
            timeout="1h",
        )
    if ctx.event.data.get("fail"):
        raise NonRetriableError("as you wish")
    return ctx.step.run("greet", lambda: f"Hello, {ctx.event.data.get('name')}!")


@function(fn_id="count", trigger=TriggerEvent(event="demo/count", expression="event.data.a / event.data.b > 0"))
def count(_ctx: Context) -> int:
    return 1


@function(
    fn_id="report",
    wait_lookback="run",
    trigger=[
        TriggerCron(cron="TZ=Europe/Berlin 0 9 * * 1"),
        TriggerCron(cron="0 0 29 2 *"),
        TriggerEvent(event="demo/report"),
    ],
)
def report(_ctx: Context) -> None:
    pass


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class Api:
    """Speaks HTTP to the app."""

    def __init__(self, kit: Stepwell) -> None:
        self.kit = kit

    def call(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        content_type: str | None = None,
        authorization: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer to a request; it must be one that the OpenAPI document allows."""
        sent = [("Host", "localhost"), *(headers or {}).items()]
        sent += [("Content-Type", content_type)] if content_type is not None else []
        sent += [("Authorization", authorization)] if authorization is not None else []
        found = match(urlsplit(path).path, app.routes)
        if found is None:
            return Answer(404, {"error": f"There is no {path} here", "status": 404})
        event = proxy_event(Request(method, path, sent, body), *found, app.api.binary_types)
        answer = answer_of(app(event, LambdaContext("stepwell-api", 29.0)))
        found_body = json.loads(answer.body)
        if answer.status != 405:  # A method that is not there is described nowhere.
            described.check(method, found[0], answer.status, found_body)
        return Answer(answer.status, found_body, dict(answer.headers))

    def set_keys(self, event_keys: list[str], signing_keys: list[str]) -> None:
        """Put keys where a deployment has them."""
        path = self.kit.platform.config.keys_path
        for name, keys in (("event-keys", event_keys), ("signing-keys", signing_keys)):
            self.client("ssm").put_parameter(
                Name=f"{path}/{name}", Value="\n".join(keys), Type="SecureString", Overwrite=True
            )

    def client(self, service: str) -> Any:
        """A client of the test's own."""
        return kit_session().create_client(service)

    def get(self, path: str) -> Answer:
        return self.call("GET", path)

    def data(self, path: str) -> Any:
        """The data of a list or an object that must be there."""
        answer = self.get(path)
        assert answer.status == 200, answer
        assert set(answer.body) == {"data", "metadata"}
        assert "fetched_at" in answer.body["metadata"]
        return answer.body["data"]

    def send(self, payload: Any, key: str = "dev") -> Answer:
        self.kit.advance_only(1)
        answer = self.call("POST", f"/e/{key}", json.dumps(payload).encode(), "application/json")
        self.kit.advance_only(1)
        self.kit.drain()
        return answer


@contextlib.contextmanager
def serve(*more: Function[Any], **settings: Any) -> Iterator[Api]:
    with start_stepwell([greet, count, report, *more], **settings) as kit:
        before = dispatch.platform
        dispatch.platform = lambda: kit.platform  # The process's platform is the kit's.
        try:
            yield Api(kit)
        finally:
            dispatch.platform = before
