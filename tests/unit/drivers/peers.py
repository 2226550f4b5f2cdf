"""Servers on this machine that answer calls: one that sends whatever bytes it is told, and apps on the Python SDK."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import flask
import inngest
import inngest.flask
from werkzeug.serving import WSGIRequestHandler, make_server

from chalicelib.core.calls import CallRequest, Reply
from chalicelib.core.events import Event
from chalicelib.core.functions import FunctionConfig
from chalicelib.core.sdk_protocol import Answer
from chalicelib.drivers.addresses import Addresses, IpNetwork
from chalicelib.drivers.http import Caller, HttpDriver
from chalicelib.drivers.transport import Transport
from chalicelib.engine.clock import ShiftableClock

KEY = "signkey-prod-" + "ab" * 32
OTHER_KEY = "signkey-prod-" + "cd" * 32
SDK = {"x-inngest-sdk": "inngest-test:v1.0.0", "content-type": "application/json"}


class Time:
    """A clock of the machine's time and an offset that tests change."""

    def __init__(self) -> None:
        self._machine = ShiftableClock()
        self.offset_ms = 0

    def now_ms(self) -> int:
        return self._machine.now_ms() + self.offset_ms


@dataclass
class Keys:
    """The newest signing key, as the keyring gives it."""

    key: str | None = KEY

    def signing_key(self) -> str | None:
        return self.key


@dataclass(frozen=True)
class Received:
    """A request as it came over the wire."""

    line: str
    headers: dict[str, str]
    body: bytes


Behaviour = Callable[[Received], bytes | Iterable[bytes] | None]


def http(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """An answer that keeps the connection."""
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (SDK if headers is None else headers).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Peer:
    """A server that answers with what `behave` gives: bytes, pieces of them, or None to close the connection."""

    behave: Behaviour
    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._listening = socket.create_server((self.host, 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}/api/inngest"

    @contextlib.contextmanager
    def running(self) -> Iterator[Peer]:
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            self._listening.shutdown(socket.SHUT_RDWR)  # Closing alone would leave the thread accepting.
            self._listening.close()
            self.close_kept()

    def close_kept(self) -> None:
        """Close every connection from this side."""
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, one: socket.socket) -> None:
        with contextlib.suppress(OSError):
            one = self.tls.wrap_socket(one, server_side=True) if self.tls else one
            self._open.append(one)
            self.connections += 1
            with one, one.makefile("rb") as lines:
                while (request := _read(lines)) is not None:
                    self.received.append(request)
                    answer = self.behave(request)
                    if answer is None:
                        return
                    for piece in [answer] if isinstance(answer, bytes) else answer:
                        one.sendall(piece)


def _read(lines: Any) -> Received | None:
    first = lines.readline().decode().strip()
    if not first:
        return None
    headers = {}
    while line := lines.readline().decode().strip():
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return Received(first, headers, lines.read(int(headers.get("content-length", "0"))))


@contextlib.contextmanager
def app_on_sdk(
    functions: Callable[[inngest.Inngest], Sequence[inngest.Function[Any]]],
    *,
    production: bool = True,
    signing_key: str | None = KEY,
) -> Iterator[str]:
    """An app on the Python SDK, served by Flask; its URL."""
    client = inngest.Inngest(
        app_id="shop",
        is_production=production,
        signing_key=signing_key,
        logger=logging.getLogger("tests.app"),
    )
    app = flask.Flask("app")
    inngest.flask.serve(app, client, list(functions(client)))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api/inngest"
    finally:
        server.shutdown()
        server.server_close()


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: Any, **__: Any) -> None:
        pass


def transport(time: Time) -> Transport:
    return Transport(Addresses(is_open=True), time)


def networks(*texts: str) -> tuple[IpNetwork, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


def driver(time: Time, keys: Keys | None = None, sends: Transport | None = None) -> HttpDriver:
    """Calls as production does; without keys as development does."""
    ids = iter(range(1_000_000))
    return HttpDriver(sends or transport(time), Caller("prod", keys), time, lambda: f"request-{next(ids)}")


def config(url: str, fn_id: str = "shop-order") -> FunctionConfig:
    return FunctionConfig(id=fn_id, name=fn_id, triggers=(), driver="http", app_id="shop", endpoint=url)


def event(**data: Any) -> Event:
    return Event(internal_id="i", received_at_us=1_000, id="e-1", name="shop/order", data=data, ts=1_700_000_000_000)


def request(**changes: Any) -> CallRequest:
    values: dict[str, Any] = {
        "run_id": "01JRUN",
        "fn_id": "shop-order",
        "attempt": 0,
        "max_attempts": 4,
        "event": event(),
        "steps": {},
        "queue_item_id": "m.n",
    }
    return CallRequest(**(values | changes))


def call(peer: Peer, time: Time, **changes: Any) -> Reply:
    """One unsigned call."""
    return driver(time).call(config(peer.url), request(**changes))


def answer(status: int, body: bytes, **headers: str) -> Answer:
    """An SDK's answer; `x_inngest_no_retry="true"` names a header."""
    return Answer(status, {**SDK, **{name.replace("_", "-"): value for name, value in headers.items()}}, body)
