"""What the Flask and the FastAPI app share: the client, the functions of all stories, and the record of what ran."""

from __future__ import annotations

import importlib
import logging
import os
import pkgutil
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

import inngest

from tests.sdk.python import stories

Handler = TypeVar("Handler", bound=Callable[..., Any])
AnyContext = inngest.Context | inngest.ContextSync


class Record:
    """What ran, under the key of the event that made it run. Many threads write it."""

    def __init__(self) -> None:
        self._notes: dict[str, list[Any]] = defaultdict(list)
        self._lock = threading.Lock()

    def add(self, key: str, note: object) -> None:
        with self._lock:
            self._notes[key].append(note)

    def of(self, key: str) -> list[Any]:
        with self._lock:
            return list(self._notes.get(key, ()))


class Stories:
    """What a story's file gets: how to make functions, and where to say what they did."""

    def __init__(self, app_id: str) -> None:
        self.record = Record()
        self.client = inngest.Inngest(app_id=app_id, logger=logging.getLogger("app"))
        self.functions: list[inngest.Function[Any]] = []
        self.provider = os.environ.get("PROVIDER", "")
        # What a story serves besides, by a name of its own: each is given the web app, or a part of it.
        self.extra: dict[str, Callable[[Any], None]] = {}

    def on(self, name: str, expression: str | None = None) -> inngest.TriggerEvent:
        """An event of this app's own."""
        return inngest.TriggerEvent(event=f"{self.client.app_id}/{name}", expression=expression)

    def function(
        self, fn_id: str, trigger: Any = None, client: inngest.Inngest | None = None, **options: Any
    ) -> Callable[[Handler], inngest.Function[Any]]:
        """Make a function, triggered by the event of its own name unless another trigger is given."""
        of = client or self.client
        options.setdefault("retries", 0)

        def decorate(handler: Handler) -> inngest.Function[Any]:
            made = of.create_function(fn_id=fn_id, trigger=trigger or self.on(fn_id), **options)(handler)
            if of is self.client:
                self.functions.append(made)
            return made

        return decorate

    def serve_also(self, name: str, serve: Callable[[Any], None]) -> None:
        """Have the web app serve more than the functions of the client that all stories share."""
        self.extra[name] = serve

    def ran(self, ctx: AnyContext, note: object) -> None:
        """Say that something ran."""
        self.record.add(str(ctx.event.data["key"]), note)


def load(app_id: str, define: str) -> Stories:
    """All stories, by the function of each file that `define` names: `define` or `define_async`."""
    loaded = Stories(app_id)
    for module in pkgutil.iter_modules(stories.__path__):
        getattr(importlib.import_module(f"{stories.__name__}.{module.name}"), define)(loaded)
    return loaded
