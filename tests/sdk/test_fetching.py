"""The server makes a request for the run; the Python SDK does not have that."""

from __future__ import annotations

import pytest

from tests.sdk.harness.story import Story

pytestmark = pytest.mark.parametrize("story", ["typescript", "typescript-plain"], indirect=True)


def test_the_request_arrives_and_its_answer_comes_back(story: Story) -> None:
    expected = {"method": "POST", "you_sent": {"n": 1}, "x_story": "told"}
    assert story.start().completed() == {"status": 200, "body": expected}
