"""Requests that are made for steps: step.fetch and step.ai.infer of apps."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from chalicelib.core import limits
from chalicelib.core.calls import CallRequest
from chalicelib.testing import RunView, Stepwell, start_stepwell
from tests import apps
from tests.apps import App, AppError, AppFunction, Story
from tests.scenarios.insides import items, replace_services

KEY = "sk-very-secret-key"
Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Server:
    """A server on this machine that answers as it is told and remembers what it was sent."""

    url: str = ""
    answer: Callable[[str], Answer] = lambda _: (200, {}, b"{}")
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            sent = {name.lower(): value for name, value in self.headers.items()}
            found.requests.append((self.command, self.path, sent, body))
            status, headers, text = found.answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("content-length", str(len(text)))
            self.end_headers()
            if status != 204:
                self.wfile.write(text)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{made.server_port}"
    yield found
    made.shutdown()
    made.server_close()
    thread.join()


def serve(kit: Stepwell, story: Callable[[CallRequest], Story], **options: Any) -> App:
    app = App([AppFunction("fn", "go", story, **options)])
    replace_services(kit, **apps.serve(kit.platform.services, app))
    return app


def played(kit: Stepwell, ask: Any, **options: Any) -> RunView:
    """A run that makes this one request and tells what comes of it."""

    def story(_: CallRequest) -> Story:
        try:
            return (yield ask)
        except AppError as error:
            return {"caught": str(error)}

    serve(kit, story, **options)
    kit.send("go")
    return kit.only_run("fn")


def development(retries: str = "10s") -> AbstractContextManager[Stepwell]:
    """Where requests may be made to this machine."""
    return start_stepwell([], DEV="1", RETRY_TABLE=retries)


def told(kit: Stepwell) -> str:
    """Everything that is kept or shown of the run."""
    return json.dumps([kit.only_run("fn").timeline, items(kit, "runs")], default=str)


def test_an_inference_gives_the_json_of_the_answer(server: Server) -> None:
    server.answer = lambda _: (200, {"content-type": "application/json"}, b'{"choices": [{"text": "\xc3\xa4"}]}')
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    ask = apps.infer("ask", f"{server.url}/v1/chat?key={KEY}", headers=headers, body='{"model":"m"}')
    with development() as kit:
        run = played(kit, ask)

        assert run.output == {"choices": [{"text": "ä"}]}
        ((method, path, sent, body),) = server.requests
        assert (method, path, body) == ("POST", f"/v1/chat?key={KEY}", b'{"model":"m"}')
        assert sent["authorization"] == f"Bearer {KEY}"
        (entry,) = [entry for entry in run.timeline if entry["type"] == "step.completed"]
        assert (entry["request"], entry["attempts"]) == (f"POST {server.url}/v1/chat", 1)
        assert KEY not in told(kit)


def test_what_a_server_says_of_a_key_is_not_shown(server: Server) -> None:
    server.answer = lambda _: (401, {}, f'{{"error": "the key {KEY} is wrong"}}'.encode())
    ask = apps.infer("ask", f"{server.url}/v1/chat", headers={"authorization": f"Bearer {KEY}"}, body="{}")
    with development() as kit:
        run = played(kit, ask)

        assert run.output["caught"] == (
            f'POST {server.url}/v1/chat: the model\'s server answered 401: {{"error": "the key *** is wrong"}}'
        )
        assert (len(server.requests), run.steps["ask"].status) == (1, "failed")
        assert KEY not in told(kit)


def test_an_inference_that_is_asked_to_wait_is_tried_again_then(server: Server) -> None:
    answers = [(429, {"retry-after": "30"}, b"slow down"), (503, {}, b""), (200, {}, b'"better"')]
    server.answer = lambda _: answers[len(server.requests) - 1]
    with development() as kit:
        app_calls = played(kit, apps.infer("ask", server.url, body="{}"))
        assert app_calls.status == "Running"
        kit.advance("29s")
        assert len(server.requests) == 1
        kit.advance("1s")
        assert len(server.requests) == 2
        kit.advance("10s")

        run = kit.only_run("fn")
        assert (run.output, run.steps["ask"].attempts) == ("better", 3)
        assert run.history.count("step.attempt_failed") == 2


def test_attempts_of_an_inference_come_to_an_end(server: Server) -> None:
    server.answer = lambda _: (500, {}, b"down")
    with development() as kit:
        played(kit, apps.infer("ask", server.url, body="{}"), retries=1)
        kit.advance("1m")

        run = kit.only_run("fn")
        assert (len(server.requests), run.steps["ask"].status) == (2, "failed")
        assert "answered 500: down" in run.output["caught"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "answered with what is no JSON: <html>"),
        (b'data: {"a": 1}\n\n', "a streamed answer cannot be kept: ask for one without `stream`"),
        (b"NaN", "answered with what is no JSON: NaN"),
    ],
)
def test_an_inference_whose_answer_is_no_json(server: Server, body: bytes, said: str) -> None:
    server.answer = lambda _: (200, {}, body)
    with development() as kit:
        assert said in played(kit, apps.infer("ask", server.url, body="{}")).output["caught"]
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [200, 404, 500])
def test_a_fetch_gives_whatever_is_answered(server: Server, status: int) -> None:
    server.answer = lambda _: (status, {"x-mark": "m"}, b"text")
    with development() as kit:
        output = played(kit, apps.fetch("get", f"{server.url}/a?b=c")).output

        assert (output["status_code"], output["body"], output["headers"]["x-mark"]) == (status, "text", "m")
        assert output["url"] == f"{server.url}/a?b=c"
        assert server.requests[0][:2] == ("GET", "/a?b=c")


def test_a_fetch_without_a_body_has_none(server: Server) -> None:
    server.answer = lambda _: (204, {}, b"")
    with development() as kit:
        assert played(kit, apps.fetch("get", server.url)).output["body"] is None


def test_a_fetch_follows_redirects_and_takes_its_keys_to_no_other_server(server: Server) -> None:
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    places = {"/a": (302, {"location": "/b"}, b""), "/b": (307, {"location": f"{elsewhere}/c"}, b"")}
    server.answer = lambda path: places.get(path, (200, {}, b"here"))
    headers = {"authorization": f"Bearer {KEY}", "x-api-key": KEY, "accept": "text/plain"}
    with development() as kit:
        output = played(kit, apps.fetch("post", f"{server.url}/a", method="POST", headers=headers, body="x")).output

        assert (output["url"], output["body"]) == (f"{elsewhere}/c", "here")
        assert [request[0] for request in server.requests] == ["POST", "GET", "GET"]
        assert server.requests[1][2]["x-api-key"] == KEY
        last = server.requests[2][2]
        assert ("authorization" in last, "x-api-key" in last, last["accept"]) == (False, False, "text/plain")


def test_redirects_without_end(server: Server) -> None:
    server.answer = lambda _: (302, {"location": "/again"}, b"")
    with development() as kit:
        assert "more than 5 redirects" in played(kit, apps.fetch("get", server.url)).output["caught"]
        assert len(server.requests) == limits.MAX_GATEWAY_REDIRECTS + 1


def test_an_answer_that_is_too_large(server: Server) -> None:
    server.answer = lambda _: (200, {}, b"x" * (limits.MAX_STEP_OUTPUT_BYTES + 1))
    with development() as kit:
        assert "larger than 4,194,304 bytes" in played(kit, apps.fetch("get", server.url)).output["caught"]


def test_a_server_that_cannot_be_reached_is_tried_again() -> None:
    with development() as kit:
        played(kit, apps.fetch("get", "http://127.0.0.1:1/"), retries=1)
        assert kit.only_run("fn").steps["get"].status == "retrying"
        kit.advance("1m")

        assert "no connection to 127.0.0.1" in kit.only_run("fn").output["caught"]


def test_in_production_no_request_is_made_into_our_own_network(server: Server) -> None:
    with start_stepwell([], DEV="0") as kit:
        caught = played(kit, apps.fetch("get", f"{server.url}/meta")).output["caught"]

        assert "which is not a public address" in caught
        assert server.requests == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "file:///etc/passwd"}, "its URL must begin with http:// or https://"),
        ({"url": "http://[::1"}, "its URL must begin with http:// or https://"),
        ({"url": "http://localhost/", "method": "TRACE"}, "the method 'TRACE' is none of"),
        ({"url": "http://localhost/", "body": "x" * (4 * 1024 * 1024 + 1)}, "its body has 4,194,305 bytes"),
    ],
)
def test_requests_that_cannot_be_made(options: dict[str, str], said: str) -> None:
    with development() as kit:
        run = played(kit, apps.fetch("get", **options))

        assert said in run.output["caught"]
        assert run.steps["get"].attempts == 1


def test_requests_side_by_side_beside_a_wait(server: Server) -> None:
    meet = threading.Barrier(2, timeout=20)

    def answer(path: str) -> Answer:
        meet.wait()  # Neither is answered before both have come.
        return 200, {}, json.dumps(path).encode()

    server.answer = answer

    def one(ask: apps.Ask) -> Story:
        return (yield ask)

    def story(_: CallRequest) -> Story:
        asks = [apps.infer(name, f"{server.url}/{name}", body="{}") for name in "ab"]
        return (yield apps.both(*(one(ask) for ask in asks), one(apps.wait("the-wait", "answer"))))

    with development() as kit:
        serve(kit, story)
        kit.send("go")
        kit.send("answer", {"n": 1})

        output = kit.only_run("fn").output
        assert (output[:2], output[2]["data"]) == (["/a", "/b"], {"n": 1})
        assert len(server.requests) == 2


def test_a_request_that_waits_for_its_next_attempt_holds_up_nobody(server: Server) -> None:
    server.answer = lambda _: (503, {}, b"") if len(server.requests) == 1 else (200, {}, b'"late"')

    def one(ask: apps.Ask, name: str) -> Story:
        found = yield ask
        yield apps.run(name)
        return found

    def story(_: CallRequest) -> Story:
        ask = apps.infer("ask", server.url, body="{}")
        return (yield apps.both(one(ask, "after-ask"), one(apps.wait("the-wait", "answer"), "after-wait")))

    with development("10m") as kit:
        serve(kit, story)
        kit.send("go")
        kit.send("answer")
        assert kit.only_run("fn").steps["after-wait"].status == "completed"
        assert len(server.requests) == 1
        kit.advance("10m")

        assert kit.only_run("fn").output[0] == "late"


def test_a_request_has_an_invocation_to_itself(server: Server) -> None:
    def story(_: CallRequest) -> Story:
        yield apps.run("before")
        yield apps.infer("ask", server.url, body="{}")
        return (yield apps.run("after", "end"))

    with start_stepwell([], DEV="1", remaining_ms=60_000) as kit:
        app = serve(kit, story)
        kit.send_only("go")
        kit.pump.deliver_event()
        kit.pump.deliver_work()
        assert (len(app.calls), len(server.requests)) == (2, 0)
        kit.pump.deliver_work()
        assert len(server.requests) == 1
        kit.drain()

        assert kit.only_run("fn").output == "end"
