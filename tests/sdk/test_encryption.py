"""Step data and output are encrypted before they leave the app."""

from __future__ import annotations

import json

from tests.sdk.harness.story import Story


def test_the_server_sees_no_plain_text(story: Story) -> None:
    run = story.start()
    output = run.completed()
    assert isinstance(output, dict)
    assert output["__ENCRYPTED__"] is True
    assert story.ran()[-1] == {"card": "plain card"}
    status, steps = story.server.ask("GET", f"/v0/runs/{run.id}/actions")
    assert status == 200
    assert "__ENCRYPTED__" in json.dumps(steps)
    assert "plain card" not in json.dumps([steps, run.timeline(), run.ended()])
