"""State of several megabytes: too much for the call, so the SDK fetches it."""

from __future__ import annotations

import hashlib

from tests.sdk.harness.story import Story

SIZE = 1_500_000


def test_four_steps_of_a_megabyte_and_a_half(story: Story) -> None:
    blocks = []
    for n in range(4):
        seed = hashlib.sha256(str(n).encode()).hexdigest()
        blocks.append((seed * (SIZE // 64 + 1))[:SIZE])
    expected = hashlib.sha256("".join(blocks).encode()).hexdigest()
    assert story.start(size=SIZE).completed() == expected
