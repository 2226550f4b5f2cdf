"""Steps and functions that raise: tried again, caught, and in the end not."""

from __future__ import annotations

from tests.sdk.harness.story import Story


def test_a_step_that_fails_for_good_can_be_caught(story: Story) -> None:
    run = story.start("errors-caught")
    assert run.completed() == "sent a bill, since Broken: card declined"
    assert story.ran() == ["charge 0", "charge 1", "charge 2"]
    failed = [entry for entry in run.timeline() if entry["type"] == "step.failed"]
    assert [entry["step"] for entry in failed] == ["charge"]


def test_one_that_nobody_catches_ends_the_run(story: Story) -> None:
    error = story.start("errors-uncaught").failed()
    assert error["message"] == "card declined"
    assert story.ran() == ["charge", "charge"]


def test_a_step_is_tried_again_until_it_works(story: Story) -> None:
    assert story.start("errors-recovers").completed() == 2
    assert story.ran() == ["flaky 0", "flaky 1", "flaky 2"]


def test_a_function_is_tried_again_with_the_steps_that_it_has(story: Story) -> None:
    error = story.start("errors-in-function").failed()
    assert (error["name"], error["message"]) == ("Broken", "after the step")
    assert story.ran() == ["first", "body 0", "body 1"]
