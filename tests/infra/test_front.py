"""The HTTP server itself: kept connections, bodies of every kind and size, failures."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from infra.local.front import MOST_BODY, Server
from infra.local.gateway import Answer, Request


def respond(request: Request) -> Answer:
    if request.target == "/fails":
        raise RuntimeError("hidden")
    if request.target == "/slow":
        time.sleep(0.3)
    return Answer(200, f"{request.method} {len(request.body)}".encode(), [("X-Seen", request.target)])


@pytest.fixture
def server() -> Iterator[Server]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    running = Server(listening, respond)
    threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
    yield running
    running.stop(2)
    running.server_close()


@pytest.fixture
def connection(server: Server) -> Iterator[http.client.HTTPConnection]:
    kept = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    yield kept
    kept.close()


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection.request(method, path, body)
    response = connection.getresponse()
    return response.status, response.read()


def test_one_connection_serves_many_requests_without_delay(connection: http.client.HTTPConnection) -> None:
    began = time.perf_counter()
    for n in range(50):
        assert ask(connection, "POST", "/", b"x" * n) == (200, f"POST {n}".encode())
    assert time.perf_counter() - began < 1.0  # 40 ms each, were headers and body written apart.


def test_a_body_of_eight_megabytes_is_taken_and_a_larger_one_refused(
    connection: http.client.HTTPConnection,
) -> None:
    assert ask(connection, "POST", "/", b"x" * MOST_BODY) == (200, f"POST {MOST_BODY}".encode())
    connection.putrequest("POST", "/")
    connection.putheader("Content-Length", str(MOST_BODY + 1))
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413
    assert "8 MB" in json.loads(response.read())["error"]


def test_a_chunked_body_is_put_together(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/", iter([b"abc", b"defg"]), encode_chunked=True)
    assert connection.getresponse().read() == b"POST 7"
    assert ask(connection, "GET", "/") == (200, b"GET 0")


@pytest.mark.parametrize("length", ["many", "-1"])
def test_a_wrong_length_is_refused(connection: http.client.HTTPConnection, length: str) -> None:
    connection.putrequest("POST", "/")
    connection.putheader("Content-Length", length)
    connection.endheaders()
    assert connection.getresponse().status == 400


def test_a_failure_is_a_500_that_tells_nothing_and_the_server_goes_on(
    connection: http.client.HTTPConnection,
) -> None:
    status, body = ask(connection, "GET", "/fails")
    assert status == 500
    assert b"hidden" not in body
    assert ask(connection, "GET", "/")[0] == 200


def test_head_has_headers_and_no_body(connection: http.client.HTTPConnection) -> None:
    connection.request("HEAD", "/")
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b"")
    assert response.headers["Content-Length"] == "6"
    assert ask(connection, "GET", "/") == (200, b"GET 0")


def test_a_stop_waits_for_requests_in_work(server: Server, connection: http.client.HTTPConnection) -> None:
    answers: list[tuple[int, bytes]] = []
    asking = threading.Thread(target=lambda: answers.append(ask(connection, "GET", "/slow")))
    asking.start()
    time.sleep(0.1)
    assert server.stop(2) == 0
    asking.join()
    assert answers == [(200, b"GET 0")]
