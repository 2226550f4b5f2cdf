"""One session's hold on its state: the lock, the mark of an unclean stop, and forgetting everything."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator

from infra.local.settings import DevError, Settings

SAVING_S = 3.0
"""Seconds to wait for the emulator of a session that was killed: it saves its state before it ends."""


@contextlib.contextmanager
def exclusive(config: Settings) -> Iterator[int]:
    """Hold the state for this process and for those that inherit the descriptor, however they end."""
    config.home.mkdir(parents=True, exist_ok=True)
    with config.lock_file.open("a") as handle:
        deadline = time.monotonic() + SAVING_S
        while not _locked(handle.fileno()):
            if time.monotonic() > deadline:
                raise DevError(f"Another `make dev` works with {config.home}. Stop that one first (Ctrl-C there).")
            time.sleep(0.1)
        yield handle.fileno()


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def begin(config: Settings) -> str | None:
    """Mark the session as running; what the last one lost, if it ended without saving."""
    lost = None
    if config.running_file.exists():
        lost = _what_was_lost(config)
    config.running_file.write_text(json.dumps({"began": time.time(), "pid": os.getpid()}), encoding="utf-8")
    return lost


def end(config: Settings) -> None:
    """The state is saved: nothing will be missed at the next start."""
    config.running_file.unlink(missing_ok=True)


def _what_was_lost(config: Settings) -> str:
    try:
        began = float(json.loads(config.running_file.read_text(encoding="utf-8"))["began"])
    except (OSError, ValueError, KeyError, TypeError):
        began = config.running_file.stat().st_mtime
    saved = _last_saved(config)
    if saved is not None and saved >= began:
        return f"The last session was cut off, but its state was saved at {_clock(saved)}: nothing is lost."
    text = f"The last session ended without saving. Lost: every event, run and step since it began at {_clock(began)}. "
    if saved is None:
        return text + "Nothing had been saved before it, so this one starts empty."
    return text + f"Going on from the state saved at {_clock(saved)}."


def _last_saved(config: Settings) -> float | None:
    """When the emulator last wrote both tables and queues, epoch seconds."""
    services = config.state_dir / "services"
    try:
        return min((services / name).stat().st_mtime for name in ("dynamodb.json", "sqs.json"))
    except OSError:
        return None


def saved_since(config: Settings, began: float) -> bool:
    """Whether the emulator wrote its state after ``began``, epoch seconds."""
    saved = _last_saved(config)
    return saved is not None and saved >= began


def _clock(epoch_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch_s))


def forget(config: Settings) -> None:
    """Remove all state, the clock's offset included. Refused while a session runs."""
    if not config.home.exists():
        return
    with exclusive(config):
        for entry in config.home.iterdir():
            if entry == config.lock_file:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
