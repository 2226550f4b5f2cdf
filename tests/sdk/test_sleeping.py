"""Sleeping for so long, and until then."""

from __future__ import annotations

from tests.sdk.harness.server import HOUR_MS
from tests.sdk.harness.story import Story


def test_sleeping_for_an_hour(story: Story) -> None:
    run = story.start(ms=story.in_an_hour_ms())
    run.reached("step.sleeping")
    story.server.advance(HOUR_MS // 2)
    story.await_processed(story.send("anything"))
    assert story.ran() == ["before"]
    story.server.advance(HOUR_MS)
    assert run.completed() == "slept"
    assert story.ran() == ["before", "after"]


def test_sleeping_until_a_moment(story: Story) -> None:
    run = story.start("sleeping-until", until_ms=story.server.now_ms() + HOUR_MS)
    run.reached("step.sleeping")
    assert story.ran() == ["before"]
    story.server.advance(2 * HOUR_MS)
    assert run.completed() == "slept"
    assert story.ran() == ["before", "after"]


def test_until_a_moment_that_has_passed(story: Story) -> None:
    assert story.start("sleeping-until", until_ms=story.server.now_ms() - HOUR_MS).completed() == "slept"
