"""A step and a function that return what cannot be written down."""

from __future__ import annotations

from tests.sdk.harness.story import Story


def test_a_step(story: Story) -> None:
    error = story.start().failed()
    assert "serializ" in error["message"].lower(), error
    assert story.ran() == ["step"]


def test_a_function(story: Story) -> None:
    error = story.start("unserialisable-output").failed()
    assert "serializ" in error["message"].lower(), error
    assert story.ran() == ["body"]
