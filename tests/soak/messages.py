"""Seeds of message faults, in processes side by side: what was found, and how often each fault happened."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from typing import Any

from tests.faults.emulator import open_emulator
from tests.faults.storms.seeds import Baselines, Found, Seed, drawn, try_seed
from tests.faults.storms.weather import Fault

_CHUNK = 10
_TELL_EVERY_S = 10
_held = ExitStack()
_process: list[Any] = []


def say(text: str) -> None:
    """To whoever watches, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def soak(first: int, count: int, workers: int) -> int:
    """Try so many seeds from this one on; the exit code."""
    began = said_at = time.monotonic()
    faults: Counter[Fault] = Counter()
    failed: list[Found] = []
    tried = 0
    say(f"{count:,} seeds from {first}, in {workers} processes")
    with ProcessPoolExecutor(workers, initializer=_open) as pool:
        futures = [pool.submit(_try_some, chunk) for chunk in _chunks(first, count)]
        for future in as_completed(futures):
            for found in future.result():
                tried += 1
                faults.update(found.faults)
                if found.problems:
                    failed.append(found)
                    say(_told(found))
            if time.monotonic() - said_at >= _TELL_EVERY_S:
                said_at = time.monotonic()
                say(f"{tried:>7,} seeds, {len(failed)} failed, {said_at - began:.0f} s")
    missing = [fault for fault in Fault if not faults[fault]]
    _table(faults)
    say(f"\n{tried:,} seeds in {time.monotonic() - began:.0f} s, {faults.total():,} faults, {len(failed)} seeds failed")
    for fault in missing:
        say(f"never injected: {fault.value}")
    return 1 if failed or missing else 0


def replay(seed: Seed) -> int:
    """Play one seed, and show what was done; the exit code."""
    with open_emulator() as emulator:
        found = try_seed(emulator, Baselines(emulator), seed)
    say("\n".join(found.history))
    say(_told(found) if found.problems else f"nothing found: {seed.replay}")
    return 1 if found.problems else 0


def _told(found: Found) -> str:
    return "\n    ".join([f"FAILED  {found.seed.replay}", *found.problems])


def _table(faults: Counter[Fault]) -> None:
    say("\nFaults injected")
    for fault in Fault:
        say(f"{faults[fault]:>9,}  {fault.value}")


def _chunks(first: int, count: int) -> Iterator[Sequence[int]]:
    for start in range(first, first + count, _CHUNK):
        yield range(start, min(start + _CHUNK, first + count))


def _open() -> None:
    """A worker's own emulator, for as long as it lives."""
    emulator = _held.enter_context(open_emulator())
    _process[:] = [emulator, Baselines(emulator)]


def _try_some(numbers: Sequence[int]) -> list[Found]:
    emulator, baselines = _process
    return [_without_history(try_seed(emulator, baselines, drawn(number))) for number in numbers]


def _without_history(found: Found) -> Found:
    found.history = []
    return found
