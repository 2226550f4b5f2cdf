"""The server calls a language model for the run."""

from __future__ import annotations

from tests.sdk.harness import provider
from tests.sdk.harness.story import Story


def test_the_model_answers(story: Story) -> None:
    assert story.start(secret=provider.KEY).completed() == "SAY IT LOUDER"


def test_the_provider_refuses(story: Story) -> None:
    error = story.start(secret="sk-wrong").failed()
    assert "401" in str(error) or "Incorrect API key" in str(error), error
