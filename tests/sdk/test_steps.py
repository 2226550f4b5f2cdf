"""Two steps; the second works with what the first returned."""

from __future__ import annotations

from tests.sdk.harness.story import Story


def test_steps_run_once_and_pass_on_what_they_return(story: Story) -> None:
    run = story.start()
    first = {"n": 1, "nested": {"list": [1, 2.5, None, True, "ü"]}}
    assert run.completed() == {"first": first, "second": 2, "nothing": None}
    assert story.ran() == ["one", "two"]
    assert [entry["step"] for entry in run.timeline() if entry["type"] == "step.completed"] == ["one", "two", "nothing"]


def test_the_run_belongs_to_the_function_as_the_sdk_names_it(story: Story) -> None:
    found = story.start().ended()
    assert found["function_id"] == f"{story.app_id}-steps"
