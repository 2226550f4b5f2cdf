"""Every operation that SDKs ask for, as the engine carries it out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.core import limits
from chalicelib.core.calls import Awaited, GatewayOptions, InvokeOptions, Opcode, Operation, SignalOptions, WaitOptions
from chalicelib.core.sdk_protocol.opcodes import Told, operations

NOW = 1_800_000_000_000  # 2027-01-15T08:00:00Z
ID = "ab" * 20
HOUR, DAY = limits.HOUR_MS, limits.DAY_MS


def told(op: str, told: Told | None = None, **fields: Any) -> Operation:
    (found,) = operations({"id": ID, "op": op, "displayName": "the step", **fields}, told or Told(NOW))
    assert found.name == "the step"
    return found


def refused(op: str, **fields: Any) -> str:
    """The error of a step whose operation cannot be carried out."""
    found = told(op, **fields)
    assert (found.op, found.retriable) == (Opcode.STEP_FAILED, False)
    assert found.error is not None
    assert found.error.name == "InvalidStepError"
    return found.error.message


@pytest.mark.parametrize("op", ["StepRun", "Step"])
@pytest.mark.parametrize("data", [None, 0, "", [], {"data": 1, "more": 2}, 12345678901234567890, "é"])
def test_a_step_ran(op: str, data: Any) -> None:
    found = told(op, data=data)
    assert (found.op, found.output) == (Opcode.STEP_RUN, data)
    assert found.size_bytes == len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode())


def test_results_of_old_sdks_are_wrapped_and_those_of_new_ones_are_not() -> None:
    assert told("Step", data={"data": 1}).output == 1
    assert told("StepRun", data={"data": 1}).output == {"data": 1}


def test_a_step_s_times_are_those_that_the_app_measured() -> None:
    found = told("StepRun", data=1, timing={"a": 1_800_000_000_000_000_000, "b": 1_250_000_000})
    assert (found.started_at_ms, found.ended_at_ms) == (NOW, NOW + 1_250)
    assert told("StepRun", timing={"a": "x", "b": -1}).started_at_ms is None


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"displayName": "shown", "name": "n", "userland": {"id": "u"}}, "shown"),
        ({"name": "a/b", "userland": {"id": "u"}}, "u"),
        ({"name": "n"}, "n"),
        ({"displayName": "", "name": 5}, ID),
        ({"displayName": "x" * 600}, "x" * limits.MAX_STEP_NAME_CHARS),
        ({"displayName": "half \ud800"}, "half \\ud800"),
    ],
)
def test_a_step_has_the_name_that_its_author_gave(fields: dict[str, Any], name: str) -> None:
    assert operations([{"id": ID, "op": "StepPlanned", **fields}], Told(NOW))[0].name == name


def test_an_output_that_is_too_large_fails_its_step() -> None:
    found = told("StepRun", data="x" * limits.MAX_STEP_OUTPUT_BYTES)
    assert (found.op, found.retriable, found.output) == (Opcode.STEP_FAILED, False, None)
    assert found.error is not None
    assert found.error.name == "LimitExceeded"
    assert "the output of step 'the step': it has 4,194,306 bytes; at most 4,194,304" in found.error.message


ERROR = {"name": "ValueError", "message": "no", "stack": "at"}


def test_a_step_failed_and_may_be_tried_again() -> None:
    found = told("StepError", Told(NOW, retry_after_ms=NOW + 5), error=ERROR)
    assert (found.op, found.retriable, found.retry_after_ms) == (Opcode.STEP_ERROR, True, NOW + 5)
    assert found.error is not None
    assert found.error.model_dump() == ERROR
    assert not told("StepError", Told(NOW, retriable=False), error=ERROR).retriable


def test_a_step_failed_for_good() -> None:
    found = told("StepFailed", Told(NOW, retry_after_ms=5), error=ERROR, data={"__serialized": True})
    assert (found.op, found.retriable, found.retry_after_ms) == (Opcode.STEP_FAILED, False, None)
    assert told("StepFailed", data=ERROR).error == found.error
    bare = told("StepFailed").error
    assert bare is not None
    assert bare.message == "the app told no more"


@pytest.mark.parametrize(
    ("op", "opcode"),
    [
        ("StepPlanned", Opcode.STEP_PLANNED),
        ("DiscoveryRequest", Opcode.DISCOVERY_REQUEST),
        ("StepNotFound", Opcode.STEP_NOT_FOUND),
        ("RunComplete", Opcode.RUN_COMPLETE),
    ],
)
def test_operations_without_options(op: str, opcode: Opcode) -> None:
    assert told(op, opts=None).op is opcode
    assert told(op, opts={"input": [1], "type": "step.ai.wrap", "parallelMode": "race"}).op is opcode


def test_a_run_is_complete() -> None:
    found = told("RunComplete", data={"a": 1})
    assert (found.output, found.size_bytes) == ({"a": 1}, 7)


def test_a_step_that_is_not_there_says_so() -> None:
    assert told("StepNotFound").error is not None
    assert "did not come to this step" in str(told("StepNotFound").error)


@pytest.mark.parametrize(
    ("text", "in_ms"),
    [
        ("1s", 1_000),
        ("1w2d3h", 7 * DAY + 2 * DAY + 3 * HOUR),
        ("2h30m10s", 2 * HOUR + 30 * limits.MINUTE_MS + 10_000),
        ("1s500ms250us10ns", 1_500),
        ("250µs", 0),
        ("1.5h", 90 * limits.MINUTE_MS),
        ("", 0),
        ("2027-01-15T09:00:00.000Z", HOUR),
        ("2027-01-15T09:00:00", HOUR),
        ("2027-01-15T10:00:00.5+01:00", HOUR + 500),
        ("2026-01-01T00:00:00Z", -379 * DAY - 8 * HOUR),
        ("366d", 366 * DAY),
    ],
)
def test_sleeps(text: str, in_ms: int) -> None:
    assert told("Sleep", name=text).sleep_until_ms == NOW + in_ms
    assert told("Sleep", name="ignored", opts={"duration": text or "0s"}).sleep_until_ms == NOW + in_ms


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("366d1s", "'366d1s', further away than 366d, the longest there is"),
        ("2031-01-01T00:00:00Z", "further away than 366d"),
        ("+010000-01-01T00:00:00.000Z", "is not a duration"),
        ("soon", "'soon' is not a duration"),
        ("5", "'5' is not a duration"),
        (5, "must be a text"),
        (["1s"], "must be a text"),
    ],
)
def test_sleeps_that_cannot_be(text: Any, reason: str) -> None:
    message = refused("Sleep", name=text)
    assert message.startswith("Sleep of step 'the step': ")
    assert reason in message


def waits(event: str, timeout_ms: int, if_exp: str | None = None) -> WaitOptions:
    return WaitOptions(awaited=(Awaited(event=event, if_exp=if_exp),), timeout_ms=timeout_ms)


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"name": "a/b", "opts": {"timeout": "1h"}}, waits("a/b", HOUR)),
        ({"name": "a/b", "opts": {"timeout": "1h", "if": None}}, waits("a/b", HOUR)),
        (
            {"name": "a/b", "opts": {"timeout": "1h", "if": "async.data.x == 1"}},
            waits("a/b", HOUR, "async.data.x == 1"),
        ),
        ({"name": "x", "opts": {"event": "a/b", "timeout": "2027-01-15T09:00:00Z"}}, waits("a/b", HOUR)),
        ({"name": "a/b", "opts": {"timeout": ""}}, waits("a/b", 0)),
        ({"name": "a/b", "opts": {"timeout": "2020-01-01T00:00:00Z"}}, waits("a/b", 0)),
        ({"name": "a/b"}, waits("a/b", 0)),
    ],
)
def test_waits_for_events(fields: dict[str, Any], options: WaitOptions) -> None:
    assert told("WaitForEvent", **fields).wait == options


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "a/b", "opts": {"timeout": "400d"}}, "timeout is '400d', further away than 366d"),
        ({"name": "a/b", "opts": {"timeout": 5}}, "timeout must be a text"),
        ({"opts": {"timeout": "1h"}}, "the event's name must be a text of 1 to 256 characters"),
        ({"name": "x" * 257}, "the event's name"),
        ({"name": "a", "opts": {"if": 5, "timeout": "1h"}}, "if must be a text, not int"),
        ({"name": "a", "opts": [1]}, "opts must be an object, not list"),
    ],
)
def test_waits_that_cannot_be(fields: dict[str, Any], reason: str) -> None:
    assert reason in refused("WaitForEvent", **fields)


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"opts": {"signal": "go", "timeout": "1h"}}, SignalOptions(signal="go", timeout_ms=HOUR)),
        ({"name": "go", "opts": {"conflict": "fail"}}, SignalOptions(signal="go")),
        ({"name": "go", "opts": {"conflict": "replace", "timeout": ""}}, SignalOptions(signal="go", replaces=True)),
    ],
)
def test_waits_for_signals(fields: dict[str, Any], options: SignalOptions) -> None:
    assert told("WaitForSignal", **fields).signal == options


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"opts": {}}, "signal"),
        ({"name": "go", "opts": {"conflict": "both"}}, "conflict is 'both': it must be fail or replace"),
        ({"name": "x" * 513}, "signal"),
    ],
)
def test_waits_for_signals_that_cannot_be(fields: dict[str, Any], reason: str) -> None:
    assert reason in refused("WaitForSignal", **fields)


@pytest.mark.parametrize(
    ("opts", "options"),
    [
        (
            {"function_id": "shop-bill", "payload": {"data": {"x": 1}, "v": None}, "timeout": None},
            InvokeOptions(function_id="shop-bill", data={"x": 1}),
        ),
        (
            {"function_id": "shop-bill", "payload": {"user": {"id": 1}, "v": "2", "meta": {}}, "timeout": "1h"},
            InvokeOptions(function_id="shop-bill", user={"id": 1}, v="2", timeout_ms=HOUR),
        ),
        ({"function_id": "shop-bill"}, InvokeOptions(function_id="shop-bill")),
    ],
)
def test_invocations(opts: dict[str, Any], options: InvokeOptions) -> None:
    assert told("InvokeFunction", opts=opts).invoke == options


@pytest.mark.parametrize(
    ("opts", "reason"),
    [
        ({}, "function_id must be a text of 1 to 256 characters"),
        ({"function_id": 5}, "function_id"),
        ({"function_id": "f", "payload": [1]}, "payload must be an object, not list"),
        ({"function_id": "f", "payload": {"data": [1]}}, "data: Input should be a valid dictionary"),
        ({"function_id": "f", "payload": {"data": {"x": "x" * limits.MAX_EVENT_BYTES}}}, "larger than an event may be"),
    ],
)
def test_invocations_that_cannot_be(opts: dict[str, Any], reason: str) -> None:
    assert reason in refused("InvokeFunction", opts=opts)


BODY = {"model": "m", "messages": []}


@pytest.mark.parametrize(
    ("form", "url", "headers"),
    [
        ("openai-chat", "https://api.example/v1/chat", {"authorization": "Bearer secret"}),
        ("grok", "https://api.example/v1/chat", {"authorization": "Bearer secret"}),
        ("anthropic", "https://api.example/v1/messages", {"x-api-key": "secret"}),
        ("gemini", "https://api.example/models/m:generateContent?key=secret", {}),
        ("gemini", "https://api.example/models/m:generateContent", {"x-goog-api-key": "secret"}),
    ],
)
def test_requests_to_providers_of_models(form: str, url: str, headers: dict[str, str]) -> None:
    opts = {
        "type": "step.ai.infer",
        "url": url,
        "auth_key": "secret",
        "format": form,
        "headers": {"Anthropic-Version": "2023-06-01"},
        "body": BODY,
    }
    assert told("AIGateway", opts=opts).gateway == GatewayOptions(
        url=url,
        method="POST",
        headers={"content-type": "application/json", "anthropic-version": "2023-06-01", **headers},
        body=json.dumps(BODY),
    )


def test_requests_of_any_kind() -> None:
    opts = {"url": "https://a.example/x", "method": "put", "headers": {"X-A": "b"}, "body": "text"}
    wanted = GatewayOptions(url="https://a.example/x", method="PUT", headers={"x-a": "b"}, body="text")
    assert told("Gateway", opts=opts).gateway == wanted
    assert told("Gateway", opts={"url": "http://a.example"}).gateway == GatewayOptions(
        url="http://a.example", method="GET"
    )


@pytest.mark.parametrize(
    ("op", "opts", "reason"),
    [
        ("Gateway", {"url": "ftp://a.example"}, "url is 'ftp://a.example': it must begin with http:// or https://"),
        ("Gateway", {}, "url is 'None'"),
        ("Gateway", {"url": "http://a.example", "method": "GET X"}, "method is 'GET X'"),
        ("Gateway", {"url": "http://a.example", "body": {}}, "body must be a text, not dict"),
        ("Gateway", {"url": "http://a.example", "headers": {"a b": "c"}}, "'a b' is no name of a header"),
        ("Gateway", {"url": "http://a.example", "headers": {"a": "b\r\nc: d"}}, "the header a must be"),
        ("Gateway", {"url": "http://a.example", "headers": [1]}, "headers must be an object"),
        ("AIGateway", {"url": "http://a.example", "body": "x"}, "body must be an object, not str"),
        ("AIGateway", {"url": "http://a.example", "body": {}, "auth_key": "a\nb"}, "the header authorization must be"),
    ],
)
def test_requests_that_cannot_be_made(op: str, opts: dict[str, Any], reason: str) -> None:
    assert reason in refused(op, opts=opts)
