"""Signals, which the Python SDK does not have."""

from __future__ import annotations

import pytest

from tests.sdk.harness.server import HOUR_MS
from tests.sdk.harness.story import Story

pytestmark = pytest.mark.parametrize("story", ["typescript", "typescript-plain"], indirect=True)
MONTHS = 300 * 24


def test_another_function_sends_it(story: Story) -> None:
    run = story.start(hours=MONTHS)
    story.await_ran("entered")
    run.reached("step.waiting")
    story.start("signals-send").completed()
    assert run.completed() == {"signal": f"approve/{story.key}", "data": {"by": "Ada"}}


def test_a_request_sends_it(story: Story) -> None:
    run = story.start(hours=MONTHS)
    run.reached("step.waiting")
    status, answer = story.server.ask("POST", "/v1/signals", {"signal": f"approve/{story.key}", "data": [1]})
    assert (status, answer["data"]["run_id"]) == (200, run.id)
    assert run.completed() == {"signal": f"approve/{story.key}", "data": [1]}


def test_nobody_sends_it(story: Story) -> None:
    run = story.start(hours=1)
    run.reached("step.waiting")
    story.server.advance(2 * HOUR_MS)
    assert run.completed() is None
    status, answer = story.server.ask("POST", "/v1/signals", {"signal": f"approve/{story.key}", "data": 1})
    assert (status, "error" in answer) == (404, True)


def test_two_that_wait_for_the_same_one(story: Story) -> None:
    first = story.start(hours=MONTHS)
    first.reached("step.waiting")
    assert story.start(hours=MONTHS).failed()["message"]
    second = story.start(hours=MONTHS, onConflict="replace")
    second.reached("step.waiting")
    story.start("signals-send").completed()
    assert second.completed()["data"] == {"by": "Ada"}
    assert first.is_open()
