"""Warnings about paths of the event that do not exist in it, with the nearest that does."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.core.expressions.render import render_path, storable
from chalicelib.core.expressions.syntax import Compare, Const, Has, Node, Path, children
from chalicelib.core.expressions.values import element, present

_MAX_NAMES = 200  # Names compared per warning: difflib takes microseconds for each.
_MAX_DEPTH = 4


def missing_paths(node: Node, event: Mapping[str, Any]) -> list[str]:
    """A warning for each path of `event` that the condition reads and the event has not."""
    return [
        _warning(path, event)
        for path in dict.fromkeys(_read(node))
        if path.root == "event" and not _exists(path.keys, event)
    ]


def _read(node: Node) -> Iterator[Path]:
    """The paths whose being missing is likely a mistake: not those that the condition itself asks about."""
    match node:
        case Path():
            yield node
        case Has() | Compare("==" | "!=", Path(), Const(None)) | Compare("==" | "!=", Const(None), Path()):
            return
        case _:
            for part in children(node):
                yield from _read(part)


def _exists(keys: tuple[str | int, ...], event: Any) -> bool:
    for key in keys:
        if not present(event, key):
            return False
        event = element(event, key)
    return True


def _warning(path: Path, event: Mapping[str, Any]) -> str:
    message = f"{render_path('event', path.keys)} does not exist in the event that started the run"
    nearest = _nearest(path.keys, event)
    return f"{message}; did you mean {storable(render_path('event', nearest))}?" if nearest else message


def _nearest(keys: tuple[str | int, ...], event: Mapping[str, Any]) -> tuple[str | int, ...] | None:
    """The existing path that is most like the missing one: with the nearest names, or the same name elsewhere."""
    found: list[str | int] = []
    parent: Any = event
    for key in keys:
        close = key if present(parent, key) else _closest(key, parent)
        if close is None:
            return next((path for path in _paths(event) if path[-1] == keys[-1]), None)
        found.append(close)
        parent = element(parent, close)
    return tuple(found)


def _closest(key: str | int, parent: Any) -> str | None:
    """The field of `parent` whose name is most like `key`."""
    if not isinstance(parent, dict) or not isinstance(key, str):
        return None
    return next(iter(difflib.get_close_matches(key, list(parent)[:_MAX_NAMES], n=1)), None)


def _paths(event: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The paths of the event's fields, nearest to the root first, as far as it makes sense to look."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), event)]
    for seen, (path, value) in enumerate(waiting):
        if path:
            yield path
        if isinstance(value, dict) and len(path) < _MAX_DEPTH and seen < _MAX_NAMES:
            waiting.extend(((*path, name), inner) for name, inner in list(value.items())[:_MAX_NAMES])
