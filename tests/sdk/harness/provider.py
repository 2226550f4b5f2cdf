"""A provider of language models on the loopback interface that speaks OpenAI's chat protocol, and a plain endpoint."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from infra.local.settings import HOST

KEY = "sk-of-the-story"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        if self.path == "/v1/chat/completions":
            self._answer(*_completion(self.headers.get("Authorization"), body))
        elif self.path == "/echo":
            self._answer(200, {"method": "POST", "you_sent": body, "x_story": self.headers.get("X-Story")})
        else:
            self._answer(404, {"error": {"message": f"no such path: {self.path}"}})

    def _answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def _completion(authorization: str | None, body: Any) -> tuple[int, dict[str, Any]]:
    """What the protocol answers: the last message in upper case; a wrong key or request is refused as theirs are."""
    if authorization != f"Bearer {KEY}":
        return 401, {"error": {"message": "Incorrect API key provided", "type": "invalid_request_error"}}
    if not isinstance(body, dict) or not body.get("model") or not body.get("messages"):
        return 400, {"error": {"message": "you must provide a model and messages", "type": "invalid_request_error"}}
    text = str(body["messages"][-1]["content"]).upper()
    message = {"role": "assistant", "content": text}
    return 200, {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Its address."""
    server = ThreadingHTTPServer((HOST, 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
