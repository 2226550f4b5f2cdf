"""Which shapes are used: each one that is registered for an event name costs every such event a read, so there are
only so many of them. A condition that is put together from text may ask for a new one each time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from .shapes import Shape

MAX_SHAPES = 48
"""For one event name, besides the one of what has no equality. Processes that do not know of each other may make a
few more."""


def chosen(
    alternatives: list[dict[str, Any]], registered: Collection[tuple[str, ...]], most: int
) -> list[Mapping[str, Any]]:
    """Of each alternative the equalities that make its key.

    All of them if their shape is registered, or may be; else those of the registered shape that covers most of
    them; none if there is no such shape. What finds any event stands alone.
    """
    known = {Shape.of(tuple(paths)).paths for paths in registered if paths}
    keyed: list[Mapping[str, Any]] = []
    for equalities in alternatives:
        paths = _paths(frozenset(equalities), known, most)
        if not paths:
            return [{}]
        known.add(paths)
        keyed.append({path: equalities[path] for path in paths})
    return keyed


def _paths(wanted: frozenset[str], known: set[tuple[str, ...]], most: int) -> tuple[str, ...]:
    own = Shape.of(tuple(wanted))
    if not wanted or own.paths in known or len(known) < most:
        return own.paths
    covering = [Shape.of(paths) for paths in known if wanted.issuperset(paths)]
    return min(covering, key=lambda shape: (-len(shape.paths), shape.id)).paths if covering else ()
