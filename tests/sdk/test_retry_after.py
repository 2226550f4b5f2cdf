"""A step that says when to try it again."""

from __future__ import annotations

from tests.sdk.harness.server import HOUR_MS
from tests.sdk.harness.story import Story


def test_the_next_attempt_comes_when_it_was_asked_for(story: Story) -> None:
    run = story.start(ms=story.in_an_hour_ms())
    # The Python SDK tells of it as an error of the function, the TypeScript SDK as one of the step.
    run.reached("step.attempt_failed", "function.attempt_failed")
    # The table of delays says 50 ms here: what waits longer waits because it was asked to.
    story.server.advance(HOUR_MS // 2)
    story.await_processed(story.send("anything"))
    assert story.ran() == ["ask 0"]
    story.server.advance(HOUR_MS)
    assert run.completed() == "answered"
    assert story.ran() == ["ask 0", "ask 1"]
