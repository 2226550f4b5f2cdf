"""What earlier releases left under way goes on with this one (issue 7, point 6)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from chalicelib.core.messages import AnyEventMessage, AnyWorkMessage
from tests.upgrade import sets, stories
from tests.upgrade.snapshot import Snapshot, begun, continued
from tests.upgrade.story import Story

KNOWN = stories.known()


@pytest.mark.parametrize("path", sets.files(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_an_earlier_release_began_goes_on(path: Path) -> None:
    story = KNOWN[path.stem]
    assert continued(story(), sets.load(path)) == json.loads(json.dumps(story.promised)), story.__doc__


@pytest.mark.parametrize("story", KNOWN.values(), ids=lambda story: story.name())
def test_what_is_left_under_way_is_kept_as_it_is_stored_now(story: type[Story]) -> None:
    kept = sets.newest(story.name())
    assert kept is not None, "not recorded yet: make record-fixtures"
    was, now = sets.shape(kept), sets.shape(begun(story()))
    assert now == was, (
        f"stored otherwise than before (new: {sorted(now - was)}; gone: {sorted(was - now)}). If that is meant, keep "
        "the new form beside the old ones: make record-fixtures"
    )


def test_every_story_is_told() -> None:
    assert len(KNOWN) == len({story.name() for module in stories.MODULES for story in stories.of(module)})
    assert all(story.__doc__ for story in KNOWN.values())


def bodies(found: Snapshot) -> list[str]:
    timers = [item["message"]["S"] for item in found["items"].get("timers", ()) if "message" in item]
    return timers + [message["body"] for messages in found["messages"].values() for message in messages]


def test_there_is_a_message_of_each_kind() -> None:
    kinds = {one.model_fields["kind"].default for one in (*get_args(AnyEventMessage), *get_args(AnyWorkMessage))}
    texts = [body for path in sets.files() for body in bodies(sets.load(path))]
    seen = {kind for kind in kinds if any(f'"kind":"{kind}"' in text for text in texts)}
    assert kinds - seen == set()
