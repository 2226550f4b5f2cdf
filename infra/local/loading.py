"""Imports the user's app and builds the platform, or tells in a few lines why that does not work."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

HANDLERS = ("on_event", "on_work", "on_tick", "on_collect")


class Clock(Protocol):
    """What the local cloud needs of the platform's clock."""

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        ...

    def advance(self, by_ms: int, /) -> object:
        """Move ahead by milliseconds."""
        ...


class Platform(Protocol):
    """What the local cloud needs of chalicelib.wiring.platform()."""

    @property
    def clock(self) -> Clock:
        """The clock that everything in the platform reads."""
        ...

    def wake_due(self) -> object:
        """Send a turn for every open run that is overdue by the clock."""
        ...


@dataclass(frozen=True)
class Loaded:
    """The app module (``app`` and the four handlers) and the platform it runs on."""

    module: ModuleType
    platform: Platform

    def handler(self, name: str) -> Any:
        """One of HANDLERS."""
        return getattr(self.module, name)


@dataclass(frozen=True)
class NotLoaded:
    """Why the app could not be imported, for a person to read."""

    text: str


def load(app_dir: Path) -> Loaded | NotLoaded:
    """Import app.py from ``app_dir``. Whatever it raises, exits included, becomes a readable answer."""
    if str(app_dir) not in sys.path:
        sys.path.insert(0, str(app_dir))
    try:
        module = importlib.import_module("app")
        platform = importlib.import_module("chalicelib.wiring").platform()
    except BaseException as error:
        return NotLoaded(explain(error, app_dir))
    missing = [name for name in ("app", *HANDLERS) if not hasattr(module, name)]
    if missing:
        return NotLoaded(f"app.py defines no {', '.join(missing)}.")
    return Loaded(module, platform)


def explain(error: BaseException, app_dir: Path) -> str:
    """The error and the part of its traceback that lies in the user's own files."""
    lines: list[str] = []
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.is_relative_to(app_dir) and not path.is_relative_to(Path(__file__).parent):
            if ".venv" in path.parts or "site-packages" in path.parts:
                continue
            lines.append(f"  {os.path.relpath(path, app_dir)}:{frame.lineno}  in {frame.name}: {frame.line or ''}")
    text = "".join(traceback.format_exception_only(error)).rstrip()
    return "\n".join(["", *lines, text.replace(f"{app_dir}{os.sep}", ""), ""])
