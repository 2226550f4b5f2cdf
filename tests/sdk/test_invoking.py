"""Functions that call functions."""

from __future__ import annotations

from tests.sdk.harness.server import HOUR_MS
from tests.sdk.harness.story import Story


def test_the_object(story: Story) -> None:
    assert story.start().completed() == 42
    assert story.ran() == ["child of inngest/function.invoked"]


def test_its_id(story: Story) -> None:
    assert story.start("invoking-by-id").completed() == 8


def test_one_that_fails_can_be_caught(story: Story) -> None:
    assert story.start("invoking-failing").completed() == "caught: the child broke"
    assert story.ran() == ["child"]


def test_one_that_takes_too_long_can_be_caught(story: Story) -> None:
    run = story.start("invoking-too-long")
    run.reached("step.invoking")
    story.server.advance(2 * HOUR_MS)
    assert run.completed().startswith("caught: ")


def test_one_that_is_not_there_fails_the_run(story: Story) -> None:
    error = story.start("invoking-nobody").failed()
    assert f"{story.app_id}-is-not-there" in error["message"]
