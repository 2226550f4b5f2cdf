"""What an answer means, whatever it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core import limits, signing
from chalicelib.core.calls import Opcode, Operations, Raised, Reply, Returned
from chalicelib.core.sdk_protocol import Answer, reply_of
from tests.unit.drivers.peers import KEY, OTHER_KEY, SDK, answer

NOW = 1_800_000_000_000
ID = "ab" * 20


def means(found: Answer, key: str | None = None) -> Reply:
    return reply_of(found, now_ms=NOW, signing_key=key)


def raised(found: Answer, key: str | None = None) -> Raised:
    reply = means(found, key)
    assert isinstance(reply, Raised), reply
    return reply


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("body", "output", "size"), [(b'{"a": [1]}', {"a": [1]}, 9), (b"null", None, 4), (b"", None, 4)]
)
def test_200_is_what_the_function_returned(body: bytes, output: Any, size: int) -> None:
    assert means(answer(200, body)) == Returned(output, size)


STREAMS = [
    ({"status": 200, "headers": {}, "body": '{"a": 1}'}, Returned({"a": 1}, 7)),
    ({"status": 200, "headers": {}, "body": {"a": 1}}, Returned({"a": 1}, 7)),
    ({"status": 200, "body": None}, Returned(None, 4)),
]


@pytest.mark.parametrize(("streamed", "reply"), STREAMS)
@pytest.mark.parametrize("white", [b"", b"   ", b" \n \t "])
def test_201_is_white_space_and_then_the_answer(streamed: Any, reply: Reply, white: bytes) -> None:
    assert means(answer(201, white + dumped(streamed))) == reply


def test_headers_within_a_stream_count() -> None:
    error = dumped({"name": "NonRetriableError", "message": "no"}).decode()
    inner = {"status": 400, "headers": {"X-Inngest-No-Retry": "true"}, "body": error}
    reply = raised(answer(201, b"  " + dumped(inner)))
    assert (reply.error.name, reply.error.message, reply.retriable) == ("NonRetriableError", "no", False)


@pytest.mark.parametrize(
    "body",
    [b"", b"   ", b" nonsense", b" []", b' {"status": "200"}', b' {"status": 201, "body": ""}', b' {"status": 99}'],
)
def test_a_stream_without_an_answer_is_told_and_tried_again(body: bytes) -> None:
    reply = raised(answer(201, body))
    assert (reply.error.name, reply.retriable) == ("BrokenAnswer", True)


@pytest.mark.parametrize("several", [True, False])
def test_206_is_steps_in_an_array_or_a_single_one(several: bool) -> None:
    op = {"id": ID, "op": "StepRun", "displayName": "charge", "data": {"ok": True}}
    reply = means(answer(206, dumped([op] if several else op)))
    assert isinstance(reply, Operations)
    (found,) = reply.ops
    assert (found.op, found.id, found.name, found.output, found.size_bytes) == (
        Opcode.STEP_RUN,
        ID,
        "charge",
        {"ok": True},
        11,
    )


ERRORS: list[tuple[Any, str, str, str | None]] = [
    ({"name": "ValueError", "message": "no", "stack": "at"}, "ValueError", "no", "at"),
    ({"code": "x", "name": "Error", "message": "no", "stack": None}, "Error", "no", None),
    ({"__serialized": True, "name": "TypeError", "message": "m", "stack": ""}, "TypeError", "m", None),
    ({"error": "it broke"}, "Error", "it broke", None),
    ({"error": {"name": "E", "message": "m"}}, "E", "m", None),
    (json.dumps({"name": "E", "message": "m"}), "E", "m", None),
    ("just a text", "Error", "just a text", None),
    ({"some": "thing"}, "Error", '{"some": "thing"}', None),
    (
        {"error": "Could not find step", "requestedStep": ID, "foundSteps": []},
        "StepNotFound",
        "Could not find step",
        None,
    ),
]


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize(("body", "name", "message", "stack"), ERRORS)
def test_4xx_and_5xx_are_what_the_function_raised(
    status: int, body: Any, name: str, message: str, stack: str | None
) -> None:
    reply = raised(answer(status, dumped(body)))
    assert (reply.error.name, reply.error.message, reply.error.stack) == (name, message, stack)
    assert (reply.retriable, reply.retry_after_ms) == (True, None)


def test_an_error_that_is_no_json_is_told_with_its_status() -> None:
    reply = raised(answer(502, b"<h1>Bad\nGateway</h1>"))
    assert reply.error.message == "the app answered with status 502: '<h1>Bad Gateway</h1>'"


MOMENT = datetime(2027, 1, 15, 9, 0, 0, tzinfo=UTC)
AFTER = [
    ("120", NOW + 120_000),
    ("1.5", NOW + 1_500),
    (format_datetime(MOMENT, usegmt=True), int(MOMENT.timestamp() * 1000)),
    ("2027-01-15T09:00:00.250Z", int(MOMENT.timestamp() * 1000) + 250),
    ("2027-01-15T10:00:00+01:00", int(MOMENT.timestamp() * 1000)),
    ("soon", None),
    ("", None),
    ("9" * 400, None),
    ("-5", None),
    ("Thu, 99 Foo 9999 99:99:99 GMT", None),
]


@pytest.mark.parametrize(("header", "moment"), AFTER)
def test_retry_after_is_seconds_or_a_date(header: str, moment: int | None) -> None:
    assert raised(answer(500, dumped({"message": "m"}), retry_after=header)).retry_after_ms == moment


@pytest.mark.parametrize(("header", "retriable"), [("true", False), ("True ", False), ("false", True), ("", True)])
def test_no_retry_ends_it(header: str, retriable: bool) -> None:
    assert raised(answer(400, dumped({"message": "m"}), x_inngest_no_retry=header)).retriable is retriable


def test_a_step_that_failed_has_the_headers_of_its_answer() -> None:
    ops = [{"id": ID, "op": "StepError", "displayName": "charge", "error": {"name": "E", "message": "m", "stack": "s"}}]
    reply = means(answer(206, dumped(ops), x_inngest_no_retry="false", retry_after="30"))
    assert isinstance(reply, Operations)
    assert (reply.ops[0].retriable, reply.ops[0].retry_after_ms) == (True, NOW + 30_000)
    reply = means(answer(206, dumped(ops), x_inngest_no_retry="true"))
    assert isinstance(reply, Operations)
    assert (reply.ops[0].op, reply.ops[0].retriable) == (Opcode.STEP_ERROR, False)
    error = reply.ops[0].error
    assert error is not None
    assert (error.name, error.message, error.stack) == ("E", "m", "s")


def test_the_step_s_output_that_the_python_sdk_could_not_serialize_is_not_tried_again() -> None:
    body = {"code": "output_unserializable", "message": '"a" returned unserializable data', "name": "OutputX"}
    reply = raised(answer(500, dumped(body)))
    assert (reply.error.message, reply.retriable) == ('"a" returned unserializable data', False)


@pytest.mark.parametrize(
    ("status", "headers", "body", "told"),
    [
        (
            200,
            {},
            b"<html>\n<title>Login</title>",
            "(status 200, no X-Inngest-Sdk header): '<html> <title>Login</title>'",
        ),
        (404, {}, b"not here", "(status 404, no X-Inngest-Sdk header): 'not here'"),
        (502, {}, b"", "(status 502, no X-Inngest-Sdk header): nothing"),
        (302, {"location": "/login"}, b"", "a redirect to '/login'; only redirects with status 307 or 308"),
        (301, {}, b"", "a redirect to nowhere"),
        (413, {}, b"too large", "takes no bodies of this size"),
        (200, {}, b"\xff\x00\xfe" * 4_000, "status 200"),
    ],
)
def test_what_is_no_sdk_s_answer_is_told_and_tried_again(
    status: int, headers: dict[str, str], body: bytes, told: str
) -> None:
    reply = raised(Answer(status, headers, body))
    assert (reply.error.name, reply.retriable) == ("NotAnSdk", True)
    assert told in reply.error.message
    assert len(reply.error.message) < 1_000


def test_a_proxy_may_say_when_to_come_again() -> None:
    assert raised(Answer(503, {"retry-after": "7"}, b"")).retry_after_ms == NOW + 7_000
    assert raised(Answer(404, {"retry-after": "7"}, b"")).retry_after_ms is None


def test_an_app_that_refuses_the_signature_is_told_about() -> None:
    found = Answer(401, {"x-inngest-sdk-handled": "true"}, b'{"message": "Unauthorized"}')
    reply = raised(found)
    assert (reply.error.name, reply.retriable) == ("Unauthorized", True)
    assert "INNGEST_SIGNING_KEY" in reply.error.message


BROKEN = [
    (206, b"", "BrokenAnswer", True),
    (206, b"[", "BrokenAnswer", True),
    (206, b"null", "BrokenAnswer", False),
    (206, b"[1]", "BrokenAnswer", False),
    (206, b'[{"op": "Sleep"}]', "BrokenAnswer", False),
    (206, b'[{"op": "Sleep", "id": "function"}]', "BrokenAnswer", False),
    (206, b'[{"op": "Sleep", "id": "a b"}]', "BrokenAnswer", False),
    (206, b'[{"op": "Sleep", "id": "a"}, {"op": "Sleep", "id": "a"}]', "BrokenAnswer", False),
    (206, dumped([{"op": "StepPlanned", "id": f"{n}"} for n in range(1_001)]), "LimitExceeded", False),
    (200, b"{", "BrokenAnswer", True),
    (200, b"\xff", "BrokenAnswer", True),
    (200, b"[" * 100_000, "OutputNotSerializable", False),
    (200, b"[" * 200 + b"]" * 200, "OutputNotSerializable", False),
    (200, b'{"n": NaN}', "OutputNotSerializable", False),
    (200, b'{"n": 1e999}', "OutputNotSerializable", False),
    (200, b'"\\ud800"', "OutputNotSerializable", False),
    (200, b"1" * 10_000, "BrokenAnswer", True),
    (200, b'"' + b"x" * limits.MAX_STEP_OUTPUT_BYTES + b'"', "LimitExceeded", False),
    (204, b"", "BrokenAnswer", True),
    (302, b"", "BrokenAnswer", True),
]


@pytest.mark.parametrize(("status", "body", "name", "retriable"), BROKEN)
def test_what_cannot_be_used_is_told(status: int, body: bytes, name: str, retriable: bool) -> None:
    reply = raised(answer(status, body))
    assert (reply.error.name, reply.retriable) == (name, retriable)
    assert len(reply.error.message) < 1_000


@pytest.mark.parametrize("op", ["DeferAdd", "DeferAbort", "StepTeleported", "None"])
def test_an_operation_that_is_not_known_is_named(op: str) -> None:
    ops = [{"id": ID, "op": "StepRun", "data": 1}, {"id": "cd" * 20, "op": op, "displayName": "later"}]
    reply = raised(answer(206, dumped(ops)))
    assert (reply.error.name, reply.retriable) == ("UnknownOperation", False)
    assert f"'{op}' (step 'later'), which Stepwell does not know" in reply.error.message


BODY = b'{"a": 1}'


@pytest.mark.parametrize(
    ("signature", "refused"),
    [
        (signing.sign(BODY, KEY, NOW // 1000), None),
        (signing.sign(BODY, KEY, NOW // 1000 - 300), None),
        (None, None),
        ("", None),
        (signing.sign(BODY, KEY, NOW // 1000 - 301), "301 s old; at most 300 s are allowed"),
        (signing.sign(BODY, KEY, NOW // 1000 + 400), "400 s ahead of our clock"),
        (signing.sign(BODY, OTHER_KEY, NOW // 1000), "not made with our signing key for this body"),
        (signing.sign(b'{"a": 2}', KEY, NOW // 1000), "not made with our signing key for this body"),
        ("t=1&s=zz", "not of the form"),
        ("nonsense", "not of the form"),
    ],
)
def test_an_answer_that_is_signed_must_be_signed_right(signature: str | None, refused: str | None) -> None:
    found = answer(200, BODY) if signature is None else answer(200, BODY, x_inngest_signature=signature)
    assert means(found) == Returned({"a": 1}, 7), "unsigned calls are not answered with signatures"
    if refused is None:
        assert means(found, KEY) == Returned({"a": 1}, 7)
    else:
        reply = raised(found, KEY)
        assert (reply.error.name, reply.retriable) == ("AnswerRefused", True)
        assert refused in reply.error.message


def test_of_a_stream_only_the_signature_within_counts() -> None:
    """The Python SDK signs the stream's beginning as if it were the answer; the TypeScript SDK signs the answer."""
    signature = signing.sign(BODY, KEY, NOW // 1000)
    outer = {"x_inngest_signature": signing.sign(b"null", KEY, NOW // 1000)}
    for headers, good in (
        ({}, True),
        ({"x-inngest-signature": signature}, True),
        ({"x-inngest-signature": "x"}, False),
    ):
        inner = {"status": 200, "headers": headers, "body": BODY.decode()}
        reply = means(answer(201, dumped(inner), **outer), KEY)
        assert isinstance(reply, Returned if good else Raised)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
HEADERS = st.dictionaries(
    st.sampled_from(["x-inngest-sdk", "x-inngest-no-retry", "retry-after", "x-inngest-signature", "location"]),
    st.text(),
)
OPS = st.fixed_dictionaries(
    {"op": st.sampled_from([*Opcode, "Step", "DeferAdd"]) | st.text(), "id": st.just(ID) | JSON},
    optional=dict.fromkeys(("data", "error", "name", "displayName", "opts", "userland", "timing"), JSON),
)
OPTIONS = (
    *("timeout", "if", "event", "signal", "conflict", "function_id", "payload", "duration"),
    *("url", "headers", "body", "auth_key", "method", "format"),
)
OPTS = st.dictionaries(
    st.sampled_from(OPTIONS),
    JSON | st.sampled_from(["1h", "", "2027-01-15T09:00:00Z", "https://a.example/", "9" * 30 + "w"]),
)


def check(found: Answer) -> None:
    reply = reply_of(found, now_ms=NOW, signing_key=KEY)
    assert isinstance(reply, Raised | Returned | Operations)
    json.dumps(getattr(reply, "output", None), allow_nan=False)
    if isinstance(reply, Raised):
        reply.error.message.encode()
        assert reply.error.message


STATUSES = st.sampled_from([200, 201, 204, 206, 301, 400, 401, 500, 503]) | st.integers(100, 599)


@given(STATUSES, HEADERS, st.binary(), st.booleans())
def test_no_bytes_break_the_reading(status: int, headers: dict[str, str], body: bytes, of_sdk: bool) -> None:
    check(Answer(status, headers | (SDK if of_sdk else {}), body))


@given(STATUSES, HEADERS, JSON)
def test_no_json_breaks_the_reading(status: int, headers: dict[str, str], value: Any) -> None:
    check(Answer(status, headers | SDK, dumped(value)))


@given(st.lists(OPS | st.builds(lambda op, opts: {**op, "opts": opts}, OPS, OPTS), max_size=3), st.booleans())
def test_no_operations_break_the_reading(ops: list[Any], streamed: bool) -> None:
    if streamed:
        check(answer(201, dumped({"status": 206, "headers": {}, "body": json.dumps(ops)})))
    else:
        check(answer(206, dumped(ops)))
