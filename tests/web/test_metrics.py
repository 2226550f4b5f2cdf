"""What a request counts is written with its answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

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
