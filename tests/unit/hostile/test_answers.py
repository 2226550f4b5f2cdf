"""Whatever an app answers to a call means something: operations that can be carried out and stored, or an error that
tells what came. In bounded time, and nothing is raised."""

from __future__ import annotations

import json
import time
from typing import Any

from hypothesis import strategies as st

from chalicelib.core import limits
from chalicelib.core.calls import ErrorInfo, Operation, Operations, Raised, Returned
from chalicelib.core.ids import hashed_step_id
from chalicelib.core.sdk_protocol import Answer, reply_of
from chalicelib.drivers.transport import Unanswered
from tests.soak.properties import TRIED, holds

from .generated import bodies, deep, nested, plain, wounded

NOW = 1_800_000_000_000
CPU_SECONDS = 2.0
NAMES = ["op", "id", "displayName", "name", "data", "error", "opts", "timing", "status", "headers", "body", "message"]
OPTIONS: list[dict[str, Any]] = [
    {"op": "StepRun", "data": {"a": 1}, "timing": {"a": 1, "b": 2}, "userland": {"id": "x", "index": 0}},
    {"op": "Step", "data": {"data": 1}},
    {"op": "StepError", "error": {"name": "E", "message": "m", "stack": "s"}, "data": None},
    {"op": "StepFailed", "error": {"name": "E", "message": "m", "stack": "s"}},
    {"op": "StepPlanned"},
    {"op": "StepNotFound", "error": {"name": "E"}},
    {"op": "Sleep", "name": "1h", "opts": {"duration": "1h"}},
    {
        "op": "WaitForEvent",
        "name": "paid",
        "opts": {"event": "paid", "if": "event.data.a == async.data.a", "timeout": "1h"},
    },
    {"op": "WaitForSignal", "name": "s", "opts": {"signal": "s", "timeout": "1h", "conflict": "replace"}},
    {
        "op": "InvokeFunction",
        "opts": {"function_id": "f", "payload": {"data": {}, "user": {}, "v": "1"}, "timeout": "1h"},
    },
    {"op": "Gateway", "opts": {"url": "https://a.example", "method": "GET", "headers": {"h": "v"}, "body": "b"}},
    {
        "op": "AIGateway",
        "opts": {"url": "https://a.example", "auth_key": "k", "format": "openai", "headers": {}, "body": {}},
    },
    {"op": "RunComplete", "data": 1},
    {"op": "DiscoveryRequest"},
]
GOOD = [{"id": hashed_step_id(str(n), 0), "displayName": f"step {n}", **fields} for n, fields in enumerate(OPTIONS)]
several = st.lists(st.sampled_from(GOOD), min_size=1, max_size=3)
operations = st.one_of(
    several.flatmap(lambda good: wounded(good, NAMES)),
    st.sampled_from(GOOD).flatmap(lambda good: wounded(good, NAMES)),
    nested(plain, NAMES),
    deep,
)
errors = wounded({"name": "E", "message": "m", "stack": "s", "code": "x", "error": {"name": "E"}}, NAMES)
streamed = wounded({"status": 206, "headers": {"x-inngest-no-retry": "true"}, "body": GOOD[:2]}, NAMES)
NAMES_OF_HEADERS = ["retry-after", "x-inngest-no-retry", "x-inngest-signature", "location", "content-type"]
VALUES_OF_HEADERS = [
    *("", "true", "9" * 400, "1e5", "-1", "nan", "٣", "\x00", "é", "a\r\nb: c", "999999999999999", "t=1&s=" + "0" * 64),
    *("9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "Thu, 99 Foo 9999 99:99:99 GMT"),
    "Fri, 31 Dec 9999 23:59:59 -2400",
]
headers = st.dictionaries(st.sampled_from(NAMES_OF_HEADERS), st.sampled_from(VALUES_OF_HEADERS))
statuses = st.sampled_from(
    [200, 201, 206, 206, 206, 400, 401, 404, 413, 429, 500, 503, 100, 204, 302, 308, 599, 0, 999]
)


def check(found: Any) -> None:
    """What comes of an answer can be stored and shown."""
    if isinstance(found, Raised):
        _stored(found.error)
        return
    if isinstance(found, Returned):
        assert (
            len(json.dumps(found.output, allow_nan=False, ensure_ascii=False).encode())
            <= 2 * limits.MAX_STEP_OUTPUT_BYTES
        )
        return
    assert isinstance(found, Operations)
    assert len({op.id for op in found.ops}) == len(found.ops) <= limits.MAX_STEPS
    for op in found.ops:
        _check(op)


def _check(op: Operation) -> None:
    assert op.id.isascii()
    assert 0 < len(op.id) <= 128
    assert len(op.name) <= limits.MAX_STEP_NAME_CHARS
    assert op.name.encode() is not None
    json.dumps(op.output, allow_nan=False, ensure_ascii=False).encode()
    if op.error is not None:
        _stored(op.error)
    for part in (op.wait, op.invoke, op.signal, op.gateway):
        if part is not None:
            part.model_dump_json()
    for moment in (op.sleep_until_ms, op.started_at_ms, op.ended_at_ms):
        assert moment is None or abs(moment) < 10**15, moment


def _stored(error: ErrorInfo) -> None:
    error.model_dump_json()
    assert len(error.message) <= limits.MAX_ERROR_CHARS
    assert error.message


def answered(status: int, body: bytes, more: dict[str, str], *, sdk: bool) -> None:
    began = time.process_time()
    sent = {**more, **({"x-inngest-sdk": "js:v4"} if sdk else {})}
    found = reply_of(Answer(status, sent, body), now_ms=NOW, signing_key=None)
    assert time.process_time() - began < CPU_SECONDS
    TRIED["answers of apps", type(found).__name__] += 1
    check(found)


@holds(150, statuses, bodies(operations), headers)
def test_operations(status: int, body: bytes, more: dict[str, str]) -> None:
    answered(status, body, more, sdk=True)


@holds(60, statuses, bodies(st.one_of(errors, streamed)), headers, st.booleans())
def test_errors_and_streams(status: int, body: bytes, more: dict[str, str], sdk: bool) -> None:
    answered(status, body, more, sdk=sdk)


def test_what_is_not_answered_is_told() -> None:
    assert Unanswered("AppTimeout", "x" * 20_000).info.message == "x" * limits.MAX_ERROR_CHARS
