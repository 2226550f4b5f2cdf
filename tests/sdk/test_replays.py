"""How often the function is entered: once a step, and once in all where steps are reported while it runs."""

from __future__ import annotations

from tests.sdk.harness.story import Story


def test_how_often_the_function_is_entered(story: Story) -> None:
    assert story.start().completed() == [0, 1, 2]
    assert story.ran() == ["entered"] * (1 if story.app_id == "typescript" else 4)
