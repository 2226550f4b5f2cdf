"""An app with a durable endpoint, which speaks the SDK protocol over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chalicelib.core.endpoints import HTTP_REQUEST
from chalicelib.core.ids import hashed_step_id

SDK = {"X-Inngest-Sdk": "inngest-js:v4.24.0", "Content-Type": "application/json"}
DONE = {"status": 201, "headers": {"content-type": "application/json"}, "body": '{"ok":true}'}

Ops = list[dict[str, Any]]


def op(code: str, name: str, **more: Any) -> dict[str, Any]:
    return {"op": code, "id": hashed_step_id(name, 0), "displayName": name, **more}


def ran(name: str, data: Any = None) -> dict[str, Any]:
    return op("StepRun", name, data=data)


def complete(data: Any = DONE) -> dict[str, Any]:
    return {"op": "RunComplete", "id": hashed_step_id("complete", 0), "data": data}


def failed(code: str, message: str = "boom") -> dict[str, Any]:
    error = {"name": "Error", "message": message, "__serialized": True}
    return {"op": code, "id": hashed_step_id("complete", 0), "error": error}


@dataclass
class App:
    """What the app answers when it is called: a function of the steps that it then finds in the API."""

    url: str = ""
    answer: Callable[[dict[str, Any], str], tuple[int, Any]] = lambda _steps, _target: (206, complete())
    calls: list[dict[str, Any]] = field(default_factory=list)
    steps: Callable[[], dict[str, Any]] = dict

    def event(self, **more: Any) -> dict[str, Any]:
        data = {
            "domain": self.url,
            "method": "GET",
            "path": "/api/checkout",
            "query_params": "id=7",
            "content_type": "",
            "ip": "",
            "body": "",
            "fn": "checkout",
        }
        return {"name": HTTP_REQUEST, "data": data | more}


@contextmanager
def serving() -> Iterator[App]:
    app = App()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length)
            app.calls.append({"method": self.command, "path": self.path, "headers": headers, "body": body})
            status, answer = app.answer(app.steps(), headers["x-inngest-step-id"])
            raw = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {**SDK, "Content-Length": str(len(raw))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = _handle  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    app.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield app
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
