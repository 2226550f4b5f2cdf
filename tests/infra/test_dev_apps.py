"""`make dev APPS=…`: apps are asked for their functions again and again, and told of when something changes."""

from __future__ import annotations

import json
import logging
import threading

import pytest

from infra.local import settings
from infra.local.apps import AppSync
from infra.local.gateway import Answer, Request

URL = "http://127.0.0.1:3000/api/inngest"
THERE = Answer.of_json(200, {"data": {"kind": "in_band", "modified": False, "app": {"id": "shop", "functions": ["a"]}}})
GONE = Answer.of_json(400, {"error": "nobody is there", "status": 400})


def test_a_line_is_told_when_an_app_comes_and_when_it_goes(caplog: pytest.LogCaptureFixture) -> None:
    answers = [GONE, GONE, THERE, THERE, GONE, THERE]
    asked: list[Request] = []
    done = threading.Event()

    def respond(request: Request) -> Answer:
        asked.append(request)
        if len(asked) >= len(answers):
            done.set()
        return answers[min(len(asked), len(answers)) - 1]

    sync = AppSync((URL,), respond, every_s=0.001)
    logger = logging.getLogger("stepwell.dev")
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO, "stepwell.dev"):
            sync.start()
            assert done.wait(10)
            sync.stop()
    finally:
        logger.removeHandler(caplog.handler)

    told = list(dict.fromkeys((record.created, record.getMessage()) for record in caplog.records))
    assert [message for _, message in told][:4] == ["app not synced", "app is there", "app not synced", "app is there"]
    assert (asked[0].method, asked[0].target, json.loads(asked[0].body)) == ("POST", "/v1/apps/sync", {"url": URL})


def test_the_addresses_come_from_the_environment() -> None:
    assert settings.read({"APPS": f" {URL}, http://x/ ,,{URL}"}).apps == (URL, "http://x/")
    assert settings.read({}).apps == ()
