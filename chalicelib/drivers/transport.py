"""HTTP requests to addresses of users: to checked addresses only, within a time, and read up to a size.

Connections are kept, one pool per checked address, and used again. urllib3 1.26 (Lambda's runtime has it) and 2 do.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urljoin

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from chalicelib.core.calls import ErrorInfo
from chalicelib.core.clock import Clock
from chalicelib.core.errors import StepwellError
from chalicelib.core.sdk_protocol import Answer
from chalicelib.core.urls import shown
from chalicelib.drivers.addresses import Addresses, AddressRefused, Target, target_of

_CONNECT_S: Final = 5.0
_READ_BYTES: Final = 64 * 1024
_POOLS: Final = 64
_CONNECTIONS: Final = 32
# The redirects that keep method and body.
_FOLLOWED: Final = (307, 308)
_MAX_REDIRECTS: Final = 3
# A kept connection that ends within this time was closed before the request came: an app that died over a request
# would have taken longer.
_STALE_WITHIN_MS: Final = 1_000


class Unanswered(StepwellError):
    """No answer came, or none that is read."""

    def __init__(self, name: str, message: str, *, retriable: bool = True, stack: str | None = None) -> None:
        super().__init__(message)
        self.info = ErrorInfo.of(name, message, stack)
        self.retriable = retriable


class _Stale(ConnectionResetError):
    """A kept connection was closed by the other side."""


class _Kept:
    """A connection that knows whether it has served before, and keeps hold of its socket while an answer is read."""

    answers = 0
    reading: socket.socket | None = None
    # What reads what has come without waiting for more: http.client's response under urllib3 1.26, its own under 2.
    reader: Any = None

    def connect(self) -> None:
        self.answers = 0
        super().connect()  # type: ignore[misc]

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        self.reading = self.sock  # type: ignore[attr-defined]
        try:
            response = super().getresponse(*args, **kwargs)  # type: ignore[misc]
        except (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected) as error:
            if self.answers:
                raise _Stale(str(error)) from error
            raise
        self.answers += 1
        self.reader = response
        return response


class _Plain(_Kept, HTTPConnection):
    pass


class _Secure(_Kept, HTTPSConnection):
    pass


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Secure


class Transport:
    """Sends requests. Threads may at once."""

    def __init__(self, addresses: Addresses, clock: Clock, tls: ssl.SSLContext | None = None) -> None:
        self._addresses = addresses
        self._clock = clock
        self._tls = tls
        self._lock = threading.Lock()
        self._pools = urllib3.PoolManager(num_pools=_POOLS, maxsize=_CONNECTIONS)
        self._pools.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
        # Where a host was reached last: while it is still there, its connections are used again.
        self._reached: dict[tuple[str, int], str] = {}

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        until_ms: int,
        max_bytes: int,
        follows: bool = True,
    ) -> Answer:
        """The answer, whole; without `follows` that may be a redirect. Raises Unanswered, which tells the user why
        there is none."""
        for _ in range(_MAX_REDIRECTS + 1):
            answer = self._send(method, _target(url), headers, body, until_ms, max_bytes)
            location = answer.headers.get("location", "")
            if not follows or answer.status not in _FOLLOWED or not location:
                return answer
            following = urljoin(url, location)
            if url.startswith("https:") and not following.startswith("https:"):
                raise Unanswered(
                    "RedirectRefused", f"{_target(url).host} redirects to a URL without TLS: {shown(location)!r}"
                )
            url = following
        raise Unanswered("TooManyRedirects", f"more than {_MAX_REDIRECTS} redirects, the last one to {shown(url)!r}")

    def _send(
        self, method: str, target: Target, headers: Mapping[str, str], body: bytes, until_ms: int, max_bytes: int
    ) -> Answer:
        failure: Unanswered | None = None
        for address in self._candidates(target):
            for _ in range(2):
                began_ms = self._clock.now_ms()
                try:
                    return self._exchange(method, target, address, headers, body, until_ms, max_bytes)
                except (NewConnectionError, ConnectTimeoutError) as error:
                    failure = Unanswered("AppUnreachable", f"no connection to {target.host} ({address}): {_why(error)}")
                    break
                except ProtocolError as error:
                    if _is_stale(error) and self._clock.now_ms() - began_ms < _STALE_WITHIN_MS:
                        continue
                    raise _ended(target, error) from error
                except (HTTPError, OSError) as error:
                    raise _ended(target, error) from error
            else:
                raise Unanswered("AppUnreachable", f"{target.host} closed two connections before the request came")
        raise failure or Unanswered("AppUnreachable", f"{target.host} has no address")

    def _candidates(self, target: Target) -> Iterator[str]:
        try:
            found = self._addresses.of(target)
        except AddressRefused as error:
            raise Unanswered("AddressRefused", str(error)) from error
        except (OSError, UnicodeError) as error:
            raise Unanswered("AppUnreachable", f"the name {target.host!r} does not resolve: {error}") from error
        before = self._reached.get((target.host, target.port))
        return iter(sorted(found, key=lambda address: address != before))

    def _exchange(
        self,
        method: str,
        target: Target,
        address: str,
        headers: Mapping[str, str],
        body: bytes,
        until_ms: int,
        max_bytes: int,
    ) -> Answer:
        left_s = self._left_s(until_ms)
        try:
            response: Any = self._pool(target, address).urlopen(
                method,
                target.path,
                body=body,
                # No accept-encoding: what is read is bounded, and an answer might unfold beyond that.
                headers={**headers, "host": target.host_header, "accept-encoding": "identity"},
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=min(_CONNECT_S, left_s), read=left_s),
            )
        except ReadTimeoutError as error:
            raise _timed_out(target, left_s) from error
        except SSLError as error:
            raise Unanswered("AppUnreachable", f"TLS with {target.host} failed: {error}") from error
        except (LocationValueError, http.client.InvalidURL, ValueError) as error:
            raise Unanswered("AddressRefused", f"a request to {target.host} cannot be made: {error}") from error
        with self._lock:
            if len(self._reached) > 4 * _POOLS:
                self._reached.clear()
            self._reached[target.host, target.port] = address
        return self._answer(response, target, until_ms, max_bytes, left_s)

    def _pool(self, target: Target, address: str) -> Any:
        if target.scheme == "http":
            return self._pools.connection_from_host(address, target.port, "http")
        with self._lock:
            if self._tls is None:  # Loading the authorities takes its time.
                self._tls = ssl.create_default_context()
        # The certificate must be the host's, whatever address is connected to.
        named = {} if address == target.host else {"server_hostname": target.host}
        context = {"ssl_context": self._tls, **named}
        return self._pools.connection_from_host(address, target.port, "https", pool_kwargs=context)

    def _answer(self, response: Any, target: Target, until_ms: int, max_bytes: int, left_s: float) -> Answer:
        headers = {name.lower(): value for name, value in response.headers.items()}
        if headers.get("content-encoding", "identity") not in ("", "identity"):
            response.close()
            text = f"{target.host} compressed its answer, which was not asked for"
            raise Unanswered("BrokenAnswer", text)
        chunks, size = [], 0
        try:
            for chunk in self._chunks(response, until_ms):
                chunks.append(chunk)
                size += len(chunk)
                if size > max_bytes:
                    text = f"the answer of {target.host} is larger than {max_bytes:,} bytes"
                    hint = "return references to large data, not the data"
                    raise Unanswered("LimitExceeded", f"{text}: {hint}", retriable=False)
        except (ReadTimeoutError, TimeoutError) as error:
            response.close()
            raise _timed_out(target, left_s) from error
        except (HTTPError, OSError, http.client.HTTPException, ValueError) as error:
            response.close()
            raise _ended(target, error) from error
        except Unanswered:
            response.close()
            raise
        response.release_conn()
        return Answer(response.status, headers, b"".join(chunks))

    def _chunks(self, response: Any, until_ms: int) -> Iterator[bytes]:
        """What comes, as it comes: an app that streams sends white space for as long as it works."""
        connection: _Kept = response.connection
        reading, size = connection.reading, 0
        while True:
            if reading is not None and reading.fileno() >= 0:
                reading.settimeout(self._left_s(until_ms))
            chunk: bytes = connection.reader.read1(_READ_BYTES)
            if not chunk:
                break
            if self._clock.now_ms() >= until_ms:
                raise TimeoutError
            size += len(chunk)
            yield chunk
        length = response.headers.get("content-length", "")
        if length.isdecimal() and size < int(length):
            raise ProtocolError(f"{size:,} of {length} bytes came")

    def _left_s(self, until_ms: int) -> float:
        return max(0.05, (until_ms - self._clock.now_ms()) / 1000)


def _target(url: str) -> Target:
    try:
        return target_of(url)
    except AddressRefused as error:
        raise Unanswered("AddressRefused", str(error)) from error


def _timed_out(target: Target, seconds: float) -> Unanswered:
    text = f"{target.host} did not answer within {seconds:.0f} s, when the time of this invocation ends"
    return Unanswered("AppTimeout", f"{text}: make the step shorter, or give Stepwell's functions more time")


def _ended(target: Target, error: Exception) -> Unanswered:
    return Unanswered(
        "AppUnreachable", f"{target.host} ended the connection before its whole answer came: {_why(error)}"
    )


def _why(error: Exception) -> str:
    inner = next((arg for arg in error.args[1:] if isinstance(arg, Exception)), error)
    text = str(inner).rpartition(": ")[2] if isinstance(error, NewConnectionError) else str(inner)
    return text or type(inner).__name__


def _is_stale(error: ProtocolError) -> bool:
    return any(isinstance(arg, _Stale) for arg in error.args)
