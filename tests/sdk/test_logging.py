"""A line that a function logs between its steps is logged once, however often the function is entered."""

from __future__ import annotations

from tests.sdk.harness.story import Story


def test_lines_are_logged_once(story: Story) -> None:
    story.start().completed()
    assert story.ran() == ["first", "second", "third"]
