"""Apps on an SDK: what is known of each, and what a sync changes."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from chalicelib.core import limits
from chalicelib.core.checking import checked_before
from chalicelib.core.clock import to_iso
from chalicelib.core.errors import UserError
from chalicelib.core.functions import FunctionConfig


class InvalidApp(UserError):
    """A sync that is refused; the message names the field."""


class NotSynced(UserError):
    """An app did not answer as an SDK does, or refused; the message has its own words."""


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True)


class RetiredFunction(_Stored):
    """A function that its app has no more. It is known for as long as a run of it may live."""

    config: FunctionConfig
    at_ms: int


class App(_Stored):
    """An app as it was synced. `url` is its own; each function has where it is called."""

    id: str
    url: str
    sdk: str = ""
    framework: str = ""
    version: str = ""
    functions: tuple[FunctionConfig, ...]
    # When it was last synced with something new.
    synced_at_ms: int = 0
    retired: tuple[RetiredFunction, ...] = ()
    # It was removed: what is left of it are its retired functions.
    removed_at_ms: int | None = None

    @classmethod
    def read(cls, text: str) -> App:
        """As it was stored, by whatever version: it was checked then, and fields of later versions are passed over."""
        with checked_before():
            return cls.model_validate_json(text, extra="ignore")

    def dump(self) -> str:
        return self.model_dump_json(exclude_defaults=True, by_alias=True)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What it is configured with and does not hold, function by function."""
        return tuple(f"{config.id}: {text}" for config in self.functions for text in config.warnings)

    def wire(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "url": self.url,
            "sdk": self.sdk,
            "framework": self.framework,
            "version": self.version,
            "functions": [config.id for config in self.functions],
            "retired_functions": [retired.config.id for retired in self.retired],
            "synced_at": to_iso(self.synced_at_ms),
            "warnings": list(self.warnings),
        }

    def _content(self) -> App:
        """Without what a sync does not say."""
        return self.model_copy(update={"synced_at_ms": 0, "retired": (), "removed_at_ms": None})


def named(an_id: str) -> str:
    """An id in a message, whatever it is made of."""
    return json.dumps(an_id[:80], ensure_ascii=False)


def merge(known: Mapping[str, App], deployed: Collection[str], incoming: App, now_ms: int) -> App:
    """The app as it is to be stored: the very one that is known, when it is so already. `deployed`: the functions of
    this deployment.

    Raises InvalidApp when a function's id is another's.
    """
    owners = {config.id: app.id for app in known.values() if app.id != incoming.id for config in app.functions}
    for config in incoming.functions:
        taken = "this deployment" if config.id in deployed else owners.get(config.id)
        if taken is not None:
            whose = taken if config.id in deployed else f"the app {named(str(taken))}"
            raise InvalidApp(
                f"function {named(config.id)}: {whose} already has a function of this id; rename one of them"
            )
    before = known.get(incoming.id)
    if before is None:
        return incoming.model_copy(update={"synced_at_ms": now_ms})
    if before.removed_at_ms is None and before._content() == incoming._content():
        return before
    retired = _retired(before, {config.id for config in incoming.functions}, now_ms)
    return incoming.model_copy(update={"synced_at_ms": now_ms, "retired": retired})


def remove(app: App, now_ms: int) -> App:
    """The app without functions that start anything."""
    return app.model_copy(update={"functions": (), "retired": _retired(app, (), now_ms), "removed_at_ms": now_ms})


def _retired(before: App, kept: Collection[str], now_ms: int) -> tuple[RetiredFunction, ...]:
    """Newest first, as many as may be kept."""
    gone = [
        RetiredFunction(config=config.model_copy(update={"retired": True}), at_ms=now_ms)
        for config in before.functions
        if config.id not in kept
    ]
    ids = {one.config.id for one in gone} | set(kept)
    earlier = [
        one for one in before.retired if one.config.id not in ids and one.at_ms > now_ms - limits.RETIRED_KEPT_MS
    ]
    return tuple([*gone, *earlier][: limits.MAX_RETIRED_KEPT])
