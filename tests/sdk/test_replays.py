"""How often the function is entered: once a step, and once in all where steps are reported while it runs. And a
run that is replayed."""

from __future__ import annotations

from typing import Any

from tests.sdk.harness.server import eventually
from tests.sdk.harness.story import ENDED, Story


def test_how_often_the_function_is_entered(story: Story) -> None:
    assert story.start().completed() == [0, 1, 2]
    assert story.ran() == ["entered"] * (1 if story.app_id == "typescript" else 4)


def test_a_replay_from_a_step_has_the_earlier_results(story: Story) -> None:
    run = story.start()
    assert run.completed() == [0, 1, 2]
    entered = len(story.ran())
    status, answer = story.server.ask("POST", f"/v1/runs/{run.id}/replay", {"from_step": "step 2"})
    assert status == 200, answer
    path = f"/v1/runs/{answer['data']['run_id']}"

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] | None = story.server.get(path)
        return found if found and found["status"] in ENDED else None

    replay = eventually(ended, lambda: f"the replay does not end\n{story.logs()}")
    assert (replay["status"], replay["output"], replay["original_run_id"]) == ("Completed", [0, 1, 2], run.id)
    copied = [entry["step"] for entry in story.server.get(f"{path}/timeline") if entry["type"] == "step.copied"]
    assert copied == ["step 0", "step 1"]
    assert len(story.ran()) - entered == (1 if story.app_id == "typescript" else 2)
