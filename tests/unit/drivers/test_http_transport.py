"""Calls over real connections, to servers that are slow, broken, huge, elsewhere or gone."""

from __future__ import annotations

import gzip
import ssl
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chalicelib.core import limits
from chalicelib.core.calls import Memo, Raised, Reply, Returned
from chalicelib.core.sdk_protocol import Answer
from chalicelib.drivers.addresses import Addresses
from chalicelib.drivers.transport import Transport, Unanswered
from tests.unit.drivers.peers import (
    Behaviour,
    Peer,
    Received,
    Time,
    call,
    config,
    driver,
    event,
    http,
    networks,
    request,
    transport,
)

DONE = Returned({"ok": True}, 11)
OK = http(200, b'{"ok": true}')


@pytest.fixture
def time() -> Time:
    return Time()


def replied(behave: Behaviour, time: Time, **changes: object) -> Reply:
    with Peer(behave).running() as peer:
        return call(peer, time, **changes)


def error_of(reply: Reply) -> tuple[str, str, bool]:
    assert isinstance(reply, Raised), reply
    return reply.error.name, reply.error.message, reply.retriable


def chunked(*pieces: bytes) -> Iterator[bytes]:
    yield b"HTTP/1.1 201 Created\r\nx-inngest-sdk: test\r\ntransfer-encoding: chunked\r\n\r\n"
    for piece in pieces:
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    yield b"0\r\n\r\n"


def soon(time: Time, ms: int) -> int:
    """The end of an invocation in which a call may take so long."""
    return time.now_ms() + limits.CALL_MARGIN_MS + ms


def test_connections_are_used_again(time: Time) -> None:
    with Peer(lambda _: OK).running() as peer:
        calls = driver(time)
        for _ in range(20):
            assert calls.call(config(peer.url), request()) == DONE
        assert (peer.connections, len(peer.received)) == (1, 20)


def test_threads_have_connections_of_their_own_and_keep_them(time: Time) -> None:
    meeting = threading.Barrier(4)

    def behave(_: Received) -> bytes:
        meeting.wait(10)
        return OK

    with Peer(behave).running() as peer:
        calls = driver(time)
        for _ in range(3):
            threads = [threading.Thread(target=calls.call, args=(config(peer.url), request())) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert (peer.connections, len(peer.received)) == (4, 12)


def test_a_connection_that_the_app_closed_meanwhile_costs_no_attempt(time: Time) -> None:
    with Peer(lambda _: OK).running() as peer:
        calls = driver(time)
        for _ in range(3):
            assert calls.call(config(peer.url), request()) == DONE
            peer.close_kept()
        assert peer.connections == 3


def test_a_kept_connection_that_is_closed_when_the_request_comes_costs_no_attempt(time: Time) -> None:
    """An app closes what is idle; the request may be on its way then."""
    with Peer(lambda _: OK if len(peer.received) != 2 else None).running() as peer:
        calls = driver(time)
        assert calls.call(config(peer.url), request()) == DONE
        assert calls.call(config(peer.url), request()) == DONE
        assert (peer.connections, len(peer.received)) == (2, 3)


def test_an_app_that_dies_over_a_request_is_not_asked_again_at_once(time: Time) -> None:
    def behave(_: Received) -> bytes | None:
        if len(peer.received) < 2:
            return OK
        time.offset_ms += 5_000  # It had worked for a while.
        return None

    with Peer(behave).running() as peer:
        calls = driver(time)
        assert calls.call(config(peer.url), request()) == DONE
        name, message, retriable = error_of(calls.call(config(peer.url), request()))
        assert (name, retriable, len(peer.received)) == ("AppUnreachable", True, 2)
        assert "ended the connection before its whole answer came" in message


def test_a_new_connection_that_is_closed_at_once_is_told(time: Time) -> None:
    name, message, retriable = error_of(replied(lambda _: None, time))
    assert (name, retriable) == ("AppUnreachable", True)
    assert "127.0.0.1 ended the connection" in message


def test_nobody_listens(time: Time) -> None:
    with Peer(lambda _: OK).running() as peer:
        pass
    name, message, retriable = error_of(call(peer, time))
    assert (name, retriable) == ("AppUnreachable", True)
    assert "no connection to 127.0.0.1 (127.0.0.1): [Errno 111] Connection refused" in message


def test_a_name_that_does_not_resolve(time: Time) -> None:
    def resolve(_host: str, _port: int) -> list[str]:
        raise OSError(-2, "Name or service not known")

    sends = Transport(Addresses(is_open=True, resolve=resolve), time)
    reply = driver(time, sends=sends).call(config("http://shop.example/"), request())
    name, message, retriable = error_of(reply)
    assert (name, retriable) == ("AppUnreachable", True)
    assert "'shop.example' does not resolve" in message


def test_an_app_that_does_not_answer_in_time(time: Time) -> None:
    silent = threading.Event()
    with Peer(lambda _: (silent.wait(10), OK)[1]).running() as peer:
        name, message, retriable = error_of(call(peer, time, deadline_ms=soon(time, 0)))
        silent.set()
    assert (name, retriable) == ("AppTimeout", True)
    assert "did not answer within 1 s" in message


@pytest.mark.parametrize("kept", [True, False])
def test_an_app_that_streams_for_longer_than_there_is_time(time: Time, kept: bool) -> None:
    """Something comes all the time; each piece would be in time."""
    over = threading.Event()

    def drip(_: Received) -> Iterable[bytes]:
        yield b"HTTP/1.1 201 X\r\nx-inngest-sdk: t\r\n" + (b"" if kept else b"connection: close\r\n")
        yield b"transfer-encoding: chunked\r\n\r\n" if kept else b"\r\n"
        while not over.wait(0.05):
            yield b"1\r\n \r\n" if kept else b" "

    with Peer(drip).running() as peer:
        name, _, retriable = error_of(call(peer, time, deadline_ms=soon(time, 0)))
        over.set()
    assert (name, retriable) == ("AppTimeout", True)


def test_an_app_that_streams_and_then_falls_silent(time: Time) -> None:
    over = threading.Event()

    def fall_silent(_: Received) -> Iterable[bytes]:
        yield b"HTTP/1.1 201 X\r\nx-inngest-sdk: t\r\nconnection: close\r\n\r\n"
        over.wait(0.7)
        yield b" "
        over.wait(10)

    began = time.now_ms()
    with Peer(fall_silent).running() as peer:
        name, _, _ = error_of(call(peer, time, deadline_ms=soon(time, 0)))
        over.set()
    assert name == "AppTimeout"
    assert time.now_ms() - began < 1_600, "what is left of the time is less after a piece came, not the same again"


def test_a_streamed_answer(time: Time) -> None:
    streamed = chunked(b" ", b"  ", b'{"status": 200, "headers": {}, ', b'"body": "{\\"ok\\": true}"}')
    with Peer(lambda _: streamed).running() as peer:
        assert call(peer, time) == DONE


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 X\r\nx-inngest-sdk: t\r\ncontent-length: 100\r\n\r\n", b'{"ok": tr'],
        [b"HTTP/1.1 201 X\r\nx-inngest-sdk: t\r\ntransfer-encoding: chunked\r\n\r\n", b"5\r\n    "],
        [b"HTTP/1.1 201 X\r\nx-inngest-sdk: t\r\ntransfer-encoding: chunked\r\n\r\n", b"nonsense\r\n"],
        [b"SSH-2.0-OpenSSH_9.6\r\n"],
        [b"HTTP/1.1 200 X\r\n" + b"a: b\r\n" * 200 + b"\r\n"],
        [b"\x00\xff\xfe\r\n\r\n"],
    ],
)
def test_answers_that_end_early_or_are_none(time: Time, pieces: list[bytes]) -> None:
    def behave(_: Received) -> Iterable[bytes]:
        yield from pieces
        raise OSError("the server closes the connection")

    name, message, retriable = error_of(replied(behave, time))
    assert (name, retriable) == ("AppUnreachable", True)
    assert "ended the connection before its whole answer came" in message


@pytest.mark.parametrize("length", [f"content-length: {2**40}", "connection: close"])
def test_an_answer_without_end_is_not_read_to_its_end(time: Time, length: str) -> None:
    sent = 0

    def endless(_: Received) -> Iterable[bytes]:
        nonlocal sent
        yield f"HTTP/1.1 200 X\r\nx-inngest-sdk: t\r\n{length}\r\n\r\n".encode()
        while True:
            yield b" " * 1_000_000
            sent += 1_000_000

    name, message, retriable = error_of(replied(endless, time))
    assert (name, retriable) == ("LimitExceeded", False)
    assert "larger than 16,777,216 bytes: return references to large data" in message
    assert sent < 3 * limits.MAX_ANSWER_BYTES


def test_an_answer_is_not_asked_to_be_compressed_and_is_refused_if_it_is(time: Time) -> None:
    body = gzip.compress(b'{"ok": true}')
    packed = http(200, body, {"x-inngest-sdk": "t", "content-encoding": "gzip"})
    with Peer(lambda _: packed).running() as peer:
        name, _, retriable = error_of(call(peer, time))
        assert peer.received[0].headers["accept-encoding"] == "identity"
    assert (name, retriable) == ("BrokenAnswer", True)


def redirect(status: int, location: str) -> bytes:
    return http(status, b"moved", {"location": location})


@pytest.mark.parametrize("status", [307, 308])
def test_redirects_that_keep_the_request_are_followed(time: Time, status: int) -> None:
    with Peer(lambda _: OK).running() as there:

        def behave(got: Received) -> bytes:
            return redirect(status, "/v2?x=1" if "/api" in got.line else f"{there.url}?fnId=f&stepId=step")

        with Peer(behave).running() as here:
            assert call(here, time) == DONE
        first, second, last = *here.received, *there.received
    assert second.line == "POST /v2?x=1 HTTP/1.1"
    assert last.line == "POST /api/inngest?fnId=f&stepId=step HTTP/1.1"
    assert first.body == second.body == last.body != b""
    assert last.headers["host"] == f"127.0.0.1:{there.port}"


@pytest.mark.parametrize("status", [301, 302, 303])
def test_other_redirects_are_told(time: Time, status: int) -> None:
    with Peer(lambda _: redirect(status, "/login")).running() as peer:
        name, message, retriable = error_of(call(peer, time))
        assert len(peer.received) == 1
    assert (name, retriable) == ("NotAnSdk", True)
    assert "a redirect to '/login'" in message


def test_redirects_are_followed_a_few_times(time: Time) -> None:
    with Peer(lambda _: redirect(307, "/again")).running() as peer:
        name, message, _ = error_of(call(peer, time))
        assert len(peer.received) == 4
    assert name == "TooManyRedirects"
    assert "more than 3 redirects" in message


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://127.0.0.2:{port}/", "127.0.0.2 is at 127.0.0.2, which is not a public address"),
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254 is at 169.254.169.254"),
        ("file:///etc/passwd", "only http:// and https:// URLs are called"),
        ("http://user:secret@127.0.0.1/", "holds a user name"),
    ],
)
def test_where_a_redirect_leads_is_checked_as_the_first_address_is(time: Time, location: str, reason: str) -> None:
    with Peer(lambda _: redirect(307, location.format(port=peer.port))).running() as peer:
        sends = Transport(Addresses(is_open=False, allowed=networks("127.0.0.1/32")), time)
        name, message, _ = error_of(driver(time, sends=sends).call(config(peer.url), request()))
        assert len(peer.received) == 1
    assert name == "AddressRefused"
    assert reason in message


def test_in_production_this_machine_is_not_called(time: Time) -> None:
    with Peer(lambda _: OK).running() as peer:
        sends = Transport(Addresses(is_open=False), time)
        name, message, retriable = error_of(driver(time, sends=sends).call(config(peer.url), request()))
        assert peer.connections == 0
    assert (name, retriable) == ("AddressRefused", True)
    assert "STEPWELL_APP_NETWORKS" in message


def test_what_was_checked_is_what_is_called(time: Time) -> None:
    """A name may lead elsewhere each time it is asked for: it is asked for once a call, and each answer is checked."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1"]])
    asked = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    sends = Transport(Addresses(is_open=False, allowed=networks("127.0.0.1/32"), resolve=resolve), time)
    with Peer(lambda _: OK).running() as peer:
        calls = driver(time, sends=sends)
        url = f"http://shop.example:{peer.port}/api"
        assert calls.call(config(url), request()) == DONE
        assert error_of(calls.call(config(url), request()))[0] == "AddressRefused"
        assert calls.call(config(url), request()) == DONE
        assert (peer.connections, len(peer.received)) == (1, 2)
        assert peer.received[0].headers["host"] == f"shop.example:{peer.port}"
    assert asked == ["shop.example"] * 3


def test_the_next_address_is_tried_and_the_one_that_answered_is_remembered(time: Time) -> None:
    sends = Transport(Addresses(is_open=True, resolve=lambda _host, _port: ["127.0.0.3", "127.0.0.1"]), time)
    with Peer(lambda _: OK).running() as peer:
        calls = driver(time, sends=sends)
        for _ in range(3):
            assert calls.call(config(f"http://shop.example:{peer.port}/"), request()) == DONE
        assert peer.connections == 1


def test_an_answer_that_ends_within_its_headers_is_no_sdk_s(time: Time) -> None:
    def behave(_: Received) -> Iterable[bytes]:
        yield b"HTTP/1.1 200 X\r\nx-inngest"
        raise OSError("the server closes the connection")

    assert error_of(replied(behave, time))[0] == "NotAnSdk"


def test_a_server_that_takes_no_large_bodies_gets_a_small_one(time: Time) -> None:
    def behave(got: Received) -> bytes:
        return http(413, b"too large", {}) if len(got.body) > 2_000 else OK

    with Peer(behave).running() as peer:
        assert call(peer, time, steps={"ab" * 20: Memo(output="x" * 5_000)}) == DONE
        assert [b'"use_api":true' in got.body for got in peer.received] == [False, True]
        name, message, _ = error_of(call(peer, time, event=event(x="x" * 5_000)))
    assert name == "NotAnSdk"
    assert "takes no bodies of this size" in message


def test_a_function_without_a_url(time: Time) -> None:
    name, message, _ = error_of(driver(time).call(config("").model_copy(update={"endpoint": None}), request()))
    assert name == "AppMissing"
    assert "register its app again" in message


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS for shop.example, and a client's that trusts it."""
    folder: Path = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("shop.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "both.pem").write_bytes(secret + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "both.pem")
    return server, ssl.create_default_context(cadata=pem.decode())


def over_tls(time: Time, tls: ssl.SSLContext | None) -> Transport:
    return Transport(Addresses(is_open=True, resolve=lambda _host, _port: ["127.0.0.1"]), time, tls)


def test_tls_is_spoken_with_the_host_whatever_its_address(
    time: Time, authority: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server, client = authority
    with Peer(lambda _: OK, tls=server).running() as peer:
        calls = driver(time, sends=over_tls(time, client))
        for _ in range(3):
            assert calls.call(config(f"https://shop.example:{peer.port}/"), request()) == DONE
        assert peer.connections == 1
        name, message, _ = error_of(calls.call(config(f"https://other.example:{peer.port}/"), request()))
        assert name == "AppUnreachable"
        assert "TLS with other.example failed" in message
        assert len(peer.received) == 3


def test_a_certificate_that_nobody_vouches_for_is_refused(
    time: Time, authority: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    with Peer(lambda _: OK, tls=authority[0]).running() as peer:
        calls = driver(time, sends=over_tls(time, None))
        name, message, _ = error_of(calls.call(config(f"https://shop.example:{peer.port}/"), request()))
        assert peer.received == []
    assert name == "AppUnreachable"
    assert "certificate verify failed" in message


def test_a_redirect_out_of_tls_is_refused(time: Time, authority: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, client = authority
    with Peer(lambda _: OK).running() as plain, Peer(lambda _: redirect(307, plain.url), tls=server).running() as peer:
        calls = driver(time, sends=over_tls(time, client))
        name, _, _ = error_of(calls.call(config(f"https://shop.example:{peer.port}/"), request()))
        assert (name, plain.received) == ("RedirectRefused", [])


def test_other_requests_than_calls_are_sent_the_same_way(time: Time) -> None:
    """What engine/gateway and sync need."""
    with Peer(lambda _: http(200, b"hi", {})).running() as peer:
        until = time.now_ms() + 5_000
        got = transport(time).send("GET", peer.url, {"x-a": "b"}, b"", until_ms=until, max_bytes=10)
        assert got == Answer(200, {"content-length": "2"}, b"hi")
        assert (peer.received[0].line, peer.received[0].headers["x-a"]) == ("GET /api/inngest HTTP/1.1", "b")
        with pytest.raises(Unanswered, match="larger than 1 bytes"):
            transport(time).send("GET", peer.url, {}, b"", until_ms=until, max_bytes=1)
