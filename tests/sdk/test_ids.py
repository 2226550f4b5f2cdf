"""Step ids that come again, and ids of any characters."""

from __future__ import annotations

from tests.sdk.harness.story import Story

ODD = [
    "a/b?c=d&e#f",
    "ünïcödé 日本 🎉",
    "  spaces  ",
    '"quotes" and \\',
    "%2F%00",
    "line\nbreak",
    "a:1",
    "x" * 2000,
    "0",
]


def test_the_same_id_again_is_another_step(story: Story) -> None:
    assert story.start("ids-duplicate").completed() == ["0", "1", "2"]


def test_ids_of_any_characters(story: Story) -> None:
    assert story.start("ids-odd", ids=ODD).completed() == ODD
