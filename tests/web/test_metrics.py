"""What a request counts is written with its answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.config import ConfigurationError
from chalicelib.core.errors import InfrastructureError
from chalicelib.web import dispatch
from tests.web.api import SIGNING_KEY, Api


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [{name: value for name, value in line.items() if isinstance(value, list)} for line in lines]


def test_refused_events(locked_api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    body = json.dumps([{"name": "demo/x"}, {"name": ""}, {}]).encode()

    answer = locked_api.call("POST", "/e/first-event-key-0001", body, "application/json")

    assert (answer.status, len(answer.body["errors"])) == (400, 2)
    assert written(capsys) == [{"EventsRefused": [2.0]}]


def test_a_run_that_is_cancelled(locked_api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    locked_api.kit.send("demo/greet", {"wait": True})
    run = locked_api.kit.only_run()
    capsys.readouterr()

    answer = locked_api.call("DELETE", f"/v1/runs/{run.run_id}", authorization=f"Bearer {SIGNING_KEY}")

    assert answer.status == 200
    assert written(capsys) == [{"RunsCancelled": [1.0], "WaitsCancelled": [1.0]}]


def test_a_request_that_counts_nothing_writes_nothing(locked_api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    assert locked_api.call("POST", "/e/first-event-key-0001", b'{"name": "demo/x"}', "application/json").status == 200
    assert locked_api.call("POST", "/e/unknown", b'{"name": "demo/x"}', "application/json").status == 401
    assert written(capsys) == []


def test_a_request_that_is_answered_with_a_fault_is_counted(
    locked_api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda takes the answer for a success, so its own metric of errors shows nothing."""
    platform = locked_api.kit.platform

    def unreachable(*_: object) -> None:
        raise InfrastructureError("AWS does not answer")

    monkeypatch.setattr(platform.services.timers, "get_mark", unreachable)
    monkeypatch.setattr(platform.services.queues, "send_events", unreachable)
    assert locked_api.get("/health").status == 503
    assert written(capsys) == [{"RequestsFailed": [1.0]}]

    assert locked_api.call("POST", "/e/first-event-key-0001", b'{"name": "demo/x"}', "application/json").status == 503
    assert written(capsys) == [{"RequestsFailed": [1.0]}]


def test_so_is_one_whose_key_cannot_be_looked_up(
    locked_api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_header: str | None) -> bool:
        raise KeyError("the-inside")

    monkeypatch.setattr(locked_api.kit.platform.keyring, "accepts_authorization", broken)

    assert locked_api.call("GET", "/v1/runs", authorization=f"Bearer {SIGNING_KEY}").status == 500
    assert written(capsys) == [{"RequestsFailed": [1.0]}]


def test_a_fault_that_keeps_the_platform_from_being_made_is_answered_all_the_same(
    locked_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be counted then, and the queues' functions cannot begin either: their alarms tell."""

    def unmade() -> None:
        raise ConfigurationError("STEPWELL_BUCKET is not set")

    monkeypatch.setattr(dispatch, "platform", unmade)

    assert locked_api.get("/health").status == 500
