"""Several triggers, one with a condition; and a schedule."""

from __future__ import annotations

from datetime import datetime

from tests.sdk.harness.server import eventually
from tests.sdk.harness.story import Run, Story


def test_each_trigger_starts_it(story: Story) -> None:
    story.start().completed()
    story.start("triggers-other", n=2).completed()
    assert story.ran() == [f"{story.app_id}/triggers", f"{story.app_id}/triggers-other"]


def test_an_event_that_does_not_meet_the_condition_does_not(story: Story) -> None:
    assert story.await_processed(story.send("triggers-other", n=1))["started"] == []


def test_the_schedule_starts_it(story: Story) -> None:
    function = story.server.get(f"/v1/functions/{story.app_id}-triggers")
    (schedule,) = [trigger for trigger in function["triggers"] if "cron" in trigger]
    assert schedule["cron"] == "7 * * * *"
    key = f"{story.app_id}-cron"
    before = len(story.ran(key))
    due_ms = datetime.fromisoformat(schedule["next"][0]).timestamp() * 1000
    story.server.advance(int(due_ms - story.server.now_ms()) + 1000)
    eventually(lambda: len(story.ran(key)) > before, lambda: f"never started\n{story.logs()}")
    assert set(story.ran(key)) == {"inngest/scheduled.timer"}
    runs = story.server.get(f"/v1/runs?function_id={story.app_id}-triggers&limit=100")
    run = next(each for each in runs if each.get("cron"))
    assert Run(story, run["event_id"]).completed() == "7 * * * *"
