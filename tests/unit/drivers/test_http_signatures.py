"""Our signatures are those of the SDKs, and we judge them alike; signatures/make.py recorded theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from chalicelib.core import canonical, signing
from chalicelib.core.calls import Operations, Raised
from chalicelib.core.sdk_protocol import Answer, reply_of
from tests.unit.drivers.peers import KEY, OTHER_KEY

RECORDED: Final[dict[str, Any]] = json.loads((Path(__file__).parent / "signatures/vectors.json").read_text())


def key_name(vector: dict[str, Any]) -> str:
    return f"{vector['body'][:30]} {vector['key'][:14]}"


@pytest.mark.parametrize("vector", RECORDED["requests"], ids=key_name)
def test_a_request_is_signed_as_both_sdks_would(vector: dict[str, Any]) -> None:
    _, signed = canonical.texts(json.loads(vector["body"]))
    ours = signing.sign(signed.encode(), vector["key"], vector["t"])
    assert ours == vector["python"] == vector["typescript"]


@pytest.mark.parametrize("vector", RECORDED["answers"], ids=key_name)
def test_an_answer_that_an_sdk_signed_is_taken_for_five_minutes(vector: dict[str, Any]) -> None:
    body, keys, t = vector["body"].encode(), [OTHER_KEY, vector["key"]], vector["t"]
    for now_s, good in ((t, True), (t + 300, True), (t - 300, True), (t + 301, False), (t - 301, False)):
        assert (signing.signature_problem(vector["python"], body, keys, now_s) is None) is good
    assert signing.signature_problem(vector["python"], body + b" ", keys, t) is not None
    assert signing.signature_problem(vector["python"], body, ["signkey-prod-ff"], t) is not None


@pytest.mark.parametrize("call", RECORDED["calls"], ids=lambda call: str(call["name"]))
def test_the_typescript_sdk_takes_and_refuses_our_calls_as_we_would(call: dict[str, Any]) -> None:
    keys = [key for key in (call["signingKey"], call["signingKeyFallback"]) if key]
    event = call["event"]
    _, signed = canonical.texts(json.loads(event["body"]))
    problem = signing.signature_problem(
        event["headers"]["x-inngest-signature"], signed.encode(), keys, RECORDED["made_at_s"]
    )
    assert (problem is None) == (call["answer"]["status"] == 206), problem
    assert call["answer"]["status"] in (206, 401)


def test_both_kinds_of_verdict_are_recorded() -> None:
    refused = {call["name"] for call in RECORDED["calls"] if call["answer"]["status"] == 401}
    assert refused == {
        "replayed after five minutes",
        "from the future",
        "changed on its way",
        "another key",
        "unsigned",
    }
    assert len(RECORDED["calls"]) - len(refused) == 3


@pytest.mark.parametrize("call", RECORDED["calls"], ids=lambda call: str(call["name"]))
def test_the_typescript_sdk_s_recorded_answers_mean_something(call: dict[str, Any]) -> None:
    """They are signed with the key that the call was signed with."""
    given = call["answer"]
    answer = Answer(given["status"], given["headers"], given["body"].encode())
    key = OTHER_KEY if call["signingKeyFallback"] else KEY
    reply = reply_of(answer, now_ms=RECORDED["made_at_s"] * 1000, signing_key=key)
    if call["answer"]["status"] == 401:
        assert isinstance(reply, Raised)
        assert reply.error.name == "Unauthorized"
    else:
        assert isinstance(reply, Operations), reply
        assert reply.ops[0].op == "RunComplete"
        assert reply.ops[0].output == {"n": 12345678901234567000, "text": "é😀", "x": 47116301892761170}
        stale = reply_of(answer, now_ms=(RECORDED["made_at_s"] + 360) * 1000, signing_key=key)
        assert isinstance(stale, Raised)
        assert stale.error.name == "AnswerRefused"
