"""Batches and debounces of apps on the Python SDK."""

from __future__ import annotations

import pytest

from tests.sdk.harness.story import Run, Story

pytestmark = pytest.mark.parametrize("story", ["flask", "fastapi"], indirect=True)


@pytest.mark.parametrize("size", [1, 2_000_000])
def test_a_full_batch_is_one_run_of_which_every_event_tells(story: Story, size: int) -> None:
    """Large events are fetched by the SDK."""
    events = [story.send("joining", n=n, text="x" * size) for n in range(3)]

    runs = [Run(story, event_id) for event_id in events]

    (output,) = {tuple(run.completed()) for run in runs}
    assert sorted(output) == [0, 1, 2]
    assert len({run.id for run in runs}) == 1
    shown = story.server.get(f"/v1/runs/{runs[0].id}")
    assert (shown["batch_id"], sorted(shown["event_ids"])) == (runs[0].id, sorted(events))


def test_a_debounce_starts_with_the_newest(story: Story) -> None:
    now = story.server.now_ms()
    late, newest, early = (story.send("joining-newest", n=n, ts=now + ts) for n, ts in enumerate((1, 9, 5)))

    run = Run(story, newest)

    assert run.completed() == [1]
    for event_id in (late, early):
        audit = story.await_processed(event_id)
        assert [(one["run_id"], one["used"]) for one in audit["joined"]] == [(run.id, False)]
