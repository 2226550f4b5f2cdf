"""Middleware that changes what comes in and what goes out, and sees each request."""

from __future__ import annotations

from tests.sdk.harness.story import Story


def test_its_hooks_are_called(story: Story) -> None:
    assert story.start().completed() == ["QUIET", "by middleware"]
    assert story.ran() == ["responding"] * (1 if story.app_id == "typescript" else 2)
