"""How many runs start, and when: said in an SDK's configuration, kept by the server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sdk.harness.server import HOUR_MS, eventually
from tests.sdk.harness.story import Run, Story


def not_started(story: Story, event_id: str) -> str:
    """Why an event started nothing."""
    (row,) = story.await_processed(event_id)["not_started"]
    reason: str = row["reason"]
    return reason


def waiting(story: Story, name: str) -> list[dict[str, Any]]:
    """Who stands in line with the key of this test."""
    rows = story.server.get(f"/v1/functions/{story.app_id}-{name}/queue") or []
    return [row for row in rows if story.key in str(row.get("key_value"))]


def test_one_at_a_time_and_the_most_urgent_first(story: Story) -> None:
    runs = [story.start("one-at-a-time", n=0, priority=0)]
    story.await_ran("in 0")
    runs += [story.start("one-at-a-time", n=n, priority=100 * n) for n in (1, 2)]
    eventually(lambda: len(waiting(story, "one-at-a-time")) == 2, lambda: f"nobody waits\n{story.logs()}")
    story.send("release")

    assert [run.completed() for run in runs] == [0, 1, 2]
    assert story.ran() == ["in 0", "released", "in 2", "in 1"]


def test_a_throttle_makes_the_second_wait(story: Story) -> None:
    first, second = (story.start("throttled", n=n) for n in (1, 2))
    assert first.completed() == [1]
    second.reached("run.throttled")
    assert story.ran() == ["throttled [1]"]
    story.server.advance(HOUR_MS)
    assert second.completed() == [2]


def test_a_rate_limit_drops_the_second(story: Story) -> None:
    assert story.start("rated", n=1).completed() == [1]
    assert "rate limit of 1" in not_started(story, story.send("rated", n=2))
    assert story.ran() == ["rated [1]"]


def test_a_key_starts_one_run(story: Story) -> None:
    assert story.start("once", n=1).completed() == [1]
    assert "idempotency" in not_started(story, story.send("once", n=2))
    assert story.ran() == ["once [1]"]


def test_the_last_of_many_events_starts_one_run(story: Story) -> None:
    events = [story.send("debounced", n=n) for n in range(3)]
    for event_id in events:
        story.await_processed(event_id)
    # Its message lies in the queue, which goes by the machine's clock.
    assert story.await_ran("debounced [2]") == ["debounced [2]"]


def test_a_batch_is_one_run(story: Story) -> None:
    for n in range(3):
        story.await_processed(story.send("batched", n=n))

    assert story.await_ran("batched [0, 1, 2]") == ["batched [0, 1, 2]"]


def test_while_one_runs_the_next_is_skipped(story: Story) -> None:
    run = story.start("single", n=1)
    run.reached("step.waiting")
    assert run.id in not_started(story, story.send("single", n=2))
    story.send("go-on")
    assert run.completed() == [1]
    # Others may: it has ended.
    second = story.start("single", n=3)
    second.reached("step.waiting")


def test_the_next_takes_over(story: Story) -> None:
    first = story.start("newest", n=1)
    first.reached("step.waiting")
    second = story.start("newest", n=2)
    assert first.ended()["status"] == "Cancelled"
    second.reached("step.waiting")
    assert story.ran() == []


@pytest.mark.parametrize("at", ["in time", "late"])
def test_a_run_must_end_in_time(story: Story, at: str) -> None:
    run: Run = story.start("hurried", n=1)
    run.reached("step.waiting")
    if at == "in time":
        story.send("go-on")
        assert run.completed() == [1]
    else:
        story.server.advance(2 * HOUR_MS)
        assert run.ended()["status"] == "Cancelled"


def test_runs_of_a_paused_function_wait_until_it_is_resumed(story: Story) -> None:
    function = f"/v1/functions/{story.app_id}-paused"
    assert story.server.ask("POST", f"{function}/pause")[0] == 200
    try:
        run = story.start("paused", n=1)
        (row,) = eventually(lambda: story.server.get(f"{function}/queue"), lambda: f"nobody waits\n{story.logs()}")
        assert (row["run_id"], row["reason"]) == (run.id, "paused")
        assert story.ran() == []
    finally:
        assert story.server.ask("POST", f"{function}/resume")[0] == 200
    assert run.completed() == [1]


def test_events_of_a_paused_function_are_skipped_where_it_is_said_so(story: Story) -> None:
    function = f"/v1/functions/{story.app_id}-paused"
    assert story.server.ask("POST", f"{function}/pause", {"mode": "skip"})[0] == 200
    try:
        assert "paused" in not_started(story, story.send("paused", n=1))
    finally:
        assert story.server.ask("POST", f"{function}/resume")[0] == 200
    assert story.start("paused", n=2).completed() == [2]
    assert story.ran() == ["paused [2]"]
