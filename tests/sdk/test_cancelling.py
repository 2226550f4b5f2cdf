"""A run that is cancelled."""

from __future__ import annotations

from tests.sdk.harness.story import Story


def test_an_event_cancels_it(story: Story) -> None:
    run = story.start()
    run.reached("step.waiting")
    story.await_processed(story.send("called-off", key="another"))
    assert run.is_open()
    story.send("called-off")
    assert run.ended()["status"] == "Cancelled"
    assert story.ran() == ["before"]


def test_a_person_cancels_it(story: Story) -> None:
    run = story.start()
    run.reached("step.waiting")
    status, _ = story.server.ask("DELETE", f"/v1/runs/{run.id}")
    assert status in (200, 202, 204)
    assert run.ended()["status"] == "Cancelled"
