"""A step and a function that return what cannot be written down."""

from __future__ import annotations

import pytest

from tests.sdk.harness.story import Story


@pytest.mark.parametrize("story", ["flask", "fastapi"], indirect=True)
def test_a_step(story: Story) -> None:
    """The TypeScript SDK writes down of a step's result what it can, so there is nothing to fail."""
    error = story.start("unserialisable-step").failed()
    assert "serializ" in error["message"].lower(), error


def test_a_function(story: Story) -> None:
    error = story.start().failed()
    assert "serializ" in error["message"].lower(), error
    assert story.ran() == ["body"]
