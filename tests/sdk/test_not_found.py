"""A function that was synced and is no longer in the code that answers."""

from __future__ import annotations

from tests.sdk.harness.story import Story


def test_its_run_fails_and_says_why(story: Story) -> None:
    story.app.sync(story.kind.path.replace("/api/inngest", "/ghost"))
    assert story.start("not_found-kept").completed() == "here"
    error = story.start("not_found-gone").failed()
    assert "not_found-gone" in error["message"], error
    assert "not found" in error["message"].lower() or "could not find" in error["message"].lower(), error
    assert story.ran() == ["ran"]
