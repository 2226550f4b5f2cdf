"""The HTTP server in front of the gateway: threaded, HTTP/1.1 with kept connections, loopback only."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from infra.local.gateway import Answer, Request

MOST_BODY = 8 * 1024 * 1024
"""Bytes of a request's body."""
log = logging.getLogger("stepwell.dev")
Respond = Callable[[Request], Answer]


class RequestError(Exception):
    """A request that cannot be read; ``answer`` says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = Answer.of_json(status, {"error": message, "status": status})


class Server(ThreadingHTTPServer):
    """Serves on a socket that already listens, so that a reload refuses nobody."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, listening: socket.socket, respond: Respond) -> None:
        super().__init__(listening.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.respond = respond
        self._busy = 0
        self._idle = threading.Condition()

    def track(self, change: int) -> None:
        """Count a request in (+1) or out (-1)."""
        with self._idle:
            self._busy += change
            self._idle.notify_all()

    def stop(self, within_s: float) -> int:
        """Accept no more and wait for requests in work; returns how many were still busy."""
        self.shutdown()
        deadline = time.monotonic() + within_s
        with self._idle:
            self._idle.wait_for(lambda: self._busy == 0, max(0.0, deadline - time.monotonic()))
            return self._busy

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """A client that went away is not news."""
        log.debug("connection lost", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 75
    server: Server

    def _serve(self) -> None:
        self.server.track(+1)
        try:
            self._send(self._answer())
        finally:
            self.server.track(-1)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815

    def _answer(self) -> Answer:
        try:
            request = Request(self.command, self.path, list(self.headers.items()), self._body())
        except RequestError as error:
            self.close_connection = True
            return error.answer
        try:
            return self.server.respond(request)
        except Exception:
            log.exception("request failed", extra={"request": f"{self.command} {self.path}"})
            message = "The server failed to answer; its log says why."
            return Answer.of_json(500, {"error": message, "status": 500})

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if length < 0:
            raise RequestError(400, "Content-Length is not a number.")
        if length > MOST_BODY:
            raise _too_large()
        return self.rfile.read(length)

    def _chunks(self) -> bytes:
        body = bytearray()
        while True:
            try:
                size = int(self.rfile.readline(64).split(b";")[0], 16)
            except ValueError:
                raise RequestError(400, "The chunked body is malformed.") from None
            if size < 0 or len(body) + size > MOST_BODY:
                raise _too_large()
            body += self.rfile.read(size)
            if self.rfile.readline(8192) in (b"\r\n", b"\n") and size == 0:
                return bytes(body)

    def _send(self, answer: Answer) -> None:
        """Headers and body in one write: two would wait for each other on a kept connection."""
        self.send_response(answer.status)
        for name, value in answer.headers:
            if name.lower() not in ("content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        buffer: list[bytes] = getattr(self, "_headers_buffer", [])
        buffer.append(b"\r\n" + (b"" if self.command == "HEAD" else answer.body))
        self.flush_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the platform's own lines say what happened."""

    def log_request(self, code: object = "-", size: object = "-") -> None:  # noqa: ARG002
        """Only refusals and failures are worth a line."""
        if isinstance(code, int) and code >= 400:
            log.warning("request refused", extra={"request": f"{self.command} {self.path}", "status": code})


def _too_large() -> RequestError:
    return RequestError(413, f"The body is larger than {MOST_BODY // 1024 // 1024} MB.")
