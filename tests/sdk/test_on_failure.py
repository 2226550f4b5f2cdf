"""A handler that is called when a function has failed for good."""

from __future__ import annotations

from tests.sdk.harness.story import Story


def test_the_handler_gets_the_error_and_the_event(story: Story) -> None:
    assert story.start().failed()["message"] == "it broke"
    assert story.await_ran("handler: it broke") == ["main", "main", "handler: it broke"]
