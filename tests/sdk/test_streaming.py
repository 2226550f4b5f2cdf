"""Answers that are streamed: whitespace while the step works, then what it came to. Flask does not stream."""

from __future__ import annotations

import pytest

from tests.sdk.harness.story import Story

pytestmark = pytest.mark.parametrize("story", ["fastapi", "typescript", "typescript-plain"], indirect=True)


def test_steps(story: Story) -> None:
    story.app.sync(story.kind.path.replace("/api/inngest", "/streamed"))
    assert story.start().completed() == ["worked", "worked"]


def test_errors(story: Story) -> None:
    story.app.sync(story.kind.path.replace("/api/inngest", "/streamed"))
    assert story.start("streaming-failing").failed()["message"] == "it broke in the stream"
    assert story.ran() == [0, 1]
