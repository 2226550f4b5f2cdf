"""Steps side by side."""

from __future__ import annotations

from tests.sdk.harness.story import Story


def test_all_of_them(story: Story) -> None:
    assert story.start().completed() == ["a", "b", "c", "then"]
    ran = story.ran()
    assert (sorted(ran[:3]), ran[3:]) == (["a", "b", "c"], ["then"])


def test_one_that_fails_is_tried_again_and_can_be_caught(story: Story) -> None:
    assert story.start("parallel-failing").completed() == "caught: one of them broke"
    assert sorted(story.ran()) == ["bad", "bad", "good"]


def test_a_branch_runs_on_while_another_waits(story: Story) -> None:
    run = story.start("parallel-branches")
    run.reached("step.waiting")
    assert story.await_ran("quick 2") == ["quick 1", "quick 2"]
    story.send("gate")
    assert run.completed() == ["quick 1quick 2", "slow"]
    assert story.ran() == ["quick 1", "quick 2", "slow"]
