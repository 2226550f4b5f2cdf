"""Where the local cloud keeps its things, and the few numbers a user may change from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
TEMPLATE = PROJECT / "infra" / "template.yaml"
REGION = "us-east-1"
ACCOUNT = "000000000000"
HOST = "127.0.0.1"
DRAIN_S = 10.0
"""Seconds that handlers in flight get to finish when the server stops or reloads."""
QUIET_S = 5.0
"""Seconds that handlers in flight get to finish before the clock is moved."""


class DevError(Exception):
    """Something the user can put right; its text is shown without a traceback."""


@dataclass(frozen=True)
class Settings:
    """One local cloud. Directories are absolute; ``app_dir`` holds app.py and chalicelib."""

    app_dir: Path
    home: Path
    port: int
    workers: int
    stage: str
    # The addresses of apps on an SDK that are kept in sync.
    apps: tuple[str, ...] = ()

    @property
    def state_dir(self) -> Path:
        """What the emulator saves on a clean stop."""
        return self.home / "state"

    @property
    def clock_file(self) -> Path:
        """How far the clock was moved ahead, in milliseconds."""
        return self.home / "clock.json"

    @property
    def running_file(self) -> Path:
        """Present while a session runs; found at a start, it tells of a stop that saved nothing."""
        return self.home / "running.json"

    @property
    def lock_file(self) -> Path:
        """Held by the one session that may use this state."""
        return self.home / "lock"

    @property
    def emulator_log(self) -> Path:
        """What the emulator prints; started anew with every session."""
        return self.home / "emulator.log"


def _whole(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """A whole number from the environment, or an error that names the variable."""
    text = env.get(name, "").strip()
    if not text:
        return default
    try:
        number = int(text)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise DevError(f"{name} must be a whole number from {low} to {high}, not {text!r}.")
    return number


def read(env: Mapping[str, str] | None = None) -> Settings:
    """Settings from PORT, WORKERS, APPS, STEPWELL_STAGE, STEPWELL_HOME and STEPWELL_APP_DIR."""
    env = os.environ if env is None else env
    app_dir = Path(env.get("STEPWELL_APP_DIR") or PROJECT).resolve()
    return Settings(
        app_dir=app_dir,
        home=Path(env.get("STEPWELL_HOME") or app_dir / ".stepwell").resolve(),
        port=_whole(env, "PORT", 8288, 1, 65535),
        workers=_whole(env, "WORKERS", 4, 1, 64),
        stage=env.get("STEPWELL_STAGE") or "dev",
        apps=tuple(dict.fromkeys(url.strip() for url in env.get("APPS", "").split(",") if url.strip())),
    )
