"""The first of several wins. The Python SDK has no such thing: its groups wait for all of their steps."""

from __future__ import annotations

import pytest

from tests.sdk.harness.server import HOUR_MS
from tests.sdk.harness.story import Story

pytestmark = pytest.mark.parametrize("story", ["typescript", "typescript-plain"], indirect=True)


def test_the_function_goes_on_with_the_first(story: Story) -> None:
    run = story.start()
    run.reached("step.waiting")
    assert story.await_ran("then") == ["quick", "then"]
    # The SDK tells that the function has returned when its steps have all ended, losers included.
    story.server.advance(2 * HOUR_MS)
    assert run.completed() == "the step won"
    assert story.ran() == ["quick", "then"]
