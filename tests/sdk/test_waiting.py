"""Waiting for an event that belongs to this run."""

from __future__ import annotations

from tests.sdk.harness.server import HOUR_MS
from tests.sdk.harness.story import Story

MONTHS = 300 * 24


def test_the_event_comes(story: Story) -> None:
    run = story.start(hours=MONTHS)
    run.reached("step.waiting")
    story.send("paid", amount=12)
    assert run.completed() == {"name": f"{story.app_id}/paid", "amount": 12, "has_id": True}


def test_events_that_do_not_match_leave_it_waiting(story: Story) -> None:
    run = story.start(hours=MONTHS)
    run.reached("step.waiting")
    story.await_processed(story.send("paid", key="another", amount=12))
    story.await_processed(story.send("paid", amount=3))
    assert run.is_open()
    story.send("paid", amount=15)
    assert run.completed()["amount"] == 15


def test_nobody_comes(story: Story) -> None:
    run = story.start(hours=1)
    run.reached("step.waiting")
    story.server.advance(2 * HOUR_MS)
    assert run.completed() is None


def test_a_condition_that_cannot_be_read_fails_the_step_at_once(story: Story) -> None:
    run = story.start("waiting-wrongly")
    error = run.failed()
    assert error["name"] == "InvalidExpression"
    assert "'payment'" in error["message"], error
    # Once to find the wait, once more so that the code may catch its error; of its four retries none.
    assert story.ran() == ["entered", "entered"]
