"""Where a wait lies in the index: a partition, and in it beside the waits that have the very same condition."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chalicelib.core.ids import shard_of
from chalicelib.core.steps import PauseKey

from .conditions import Condition
from .shapes import IndexRow, Shape, digest, lookup_key

SCAN_SHARDS = 4
"""Waits without an equality are all looked at by every event of their name: a single partition would be too hot."""

# 80 bits: what is true of one row is taken to be true of its whole group, so no two conditions may share a name.
_GROUP_DIGITS = 20
_BEHIND = "~"


def place(row: IndexRow, condition: Condition | None, run_id: str, name: str) -> PauseKey:
    """Where this row of a run's wait lies; `name` tells it from the run's other rows."""
    key = row.key if row.shape.paths else _shard(row.key, shard_of(run_id, SCAN_SHARDS))
    return PauseKey(key=key, row=f"{group_of(condition)}#{run_id}#{name}")


def lookup_keys(event_name: str, shape: Shape, event: Mapping[str, Any]) -> tuple[str, ...]:
    """Every partition in which waits of this shape lie that `event` may meet."""
    key = lookup_key(event_name, shape, event)
    if key is None:
        return ()
    return (key,) if shape.paths else tuple(_shard(key, number) for number in range(SCAN_SHARDS))


def _shard(key: str, number: int) -> str:
    # Before there were shards all of them lay in what is now the first.
    return key if number == 0 else digest(f"{key}#{number}", len(key))


def group_of(condition: Condition | None) -> str:
    """A name for the condition that no other condition has."""
    text = "" if condition is None else json.dumps([condition.template, condition.params])
    return digest(text, _GROUP_DIGITS)


def group_in(row: str) -> str | None:
    """The group of a row by its range key; None of a row that an earlier version wrote, which has none."""
    first = row.split("#", 1)[0]
    return first if len(first) == _GROUP_DIGITS else None


def behind(group: str) -> str:
    """The place in a partition behind all rows of the group, and before those of the next."""
    return f"{group}#{_BEHIND}"
