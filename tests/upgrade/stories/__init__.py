"""The stories, by what a release must have to begin them."""

from __future__ import annotations

import importlib

from tests.upgrade.story import Story

MODULES = ("runs", "waits", "queues", "operating", "of_apps", "flow", "steering")


def known() -> dict[str, type[Story]]:
    """Those that this release can play, by name: what imports something that it lacks is another release's."""
    found: dict[str, type[Story]] = {}
    for name in MODULES:
        try:
            found |= {story.name(): story for story in of(name)}
        except ImportError:
            continue
    return found


def of(name: str) -> list[type[Story]]:
    """The stories of one module, without what is only common to some. Raises ImportError."""
    module = importlib.import_module(f"{__name__}.{name}")
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Story)
        and value.promised is not None
        and value.__module__ == module.__name__
    ]
