"""The first of several wins. The Python SDK has no such thing: its groups wait for all of their steps."""

from __future__ import annotations

import pytest

from tests.sdk.harness.story import Story

pytestmark = pytest.mark.parametrize("story", ["typescript", "typescript-plain"], indirect=True)


def test_the_run_does_not_wait_for_the_others(story: Story) -> None:
    assert story.start().completed() == "the step won"
    assert story.ran() == ["quick"]
