"""Runs that an app starts itself, in a request: the TypeScript SDK's durable endpoints."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.sdk.harness.server import HOUR_MS, eventually
from tests.sdk.harness.story import Story

pytestmark = pytest.mark.parametrize("story", ["typescript"], indirect=True)


def test_one_that_ends_in_the_request(story: Story) -> None:
    assert story.app.ask("GET", f"/endpoint?key={story.key}") == (200, {"twice": 4})
    assert story.ran() == ["add", "double"]


def test_one_that_must_wait_goes_on_in_the_server(story: Story) -> None:
    status, location = story.app.redirected(f"/endpoint/waits?key={story.key}")
    assert status == 302
    assert story.ran() == ["before"]
    story.server.advance(2 * HOUR_MS)
    address = urlsplit(location)
    assert address.netloc == urlsplit(story.server.address).netloc

    def output() -> object:
        status, answer = story.server.ask("GET", f"{address.path}?{address.query}")
        return answer if status == 200 else None

    assert "woke" in str(eventually(output, story.logs))
    assert story.ran() == ["before", "after"]
