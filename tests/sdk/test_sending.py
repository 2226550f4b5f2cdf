"""Events sent as a step, and by the client inside one."""

from __future__ import annotations

from tests.sdk.harness.story import Story


def test_they_start_functions_and_their_ids_are_returned(story: Story) -> None:
    ids = story.start().completed()
    assert len(set(ids)) == 3
    story.await_ran(3)
    story.await_ran(2)
    assert sorted(story.await_ran(1)) == [1, 2, 3]
    found = [story.await_processed(each) for each in ids]
    assert [each["data"]["n"] for each in found] == [1, 2, 3]
