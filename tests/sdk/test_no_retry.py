"""Errors that are not worth another attempt."""

from __future__ import annotations

from tests.sdk.harness.story import Story


def test_a_step_is_not_tried_again(story: Story) -> None:
    assert story.start("no_retry-step").failed()["message"] == "no such user"
    assert story.ran() == ["look up"]


def test_a_function_is_not_tried_again(story: Story) -> None:
    assert story.start().failed()["message"] == "no such user"
    assert story.ran() == ["body"]
