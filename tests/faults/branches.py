"""Processes that branch off from this one and go on by themselves: a copy of everything that is in memory, the emulator
with all that lies in it included."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from typing import IO, NoReturn

from tests.faults.injector import Pair, Point

Told = Callable[[str, Point | Pair, list[str]], None]


class Branches:
    """At most so many at a time; `told` hears of each one's scenario, point and problems when it has ended."""

    def __init__(self, most: int, told: Told) -> None:
        self._most = most
        self._told = told
        self._running: dict[int, tuple[str, Point | Pair, IO[bytes]]] = {}
        self._report: IO[bytes] | None = None

    @property
    def is_one(self) -> bool:
        """Whether this process is a branch."""
        return self._report is not None

    def off(self, scenario: str, point: Point | Pair) -> bool:
        """Branch off; true in the new process."""
        while len(self._running) >= self._most:
            self._wait()
        report = tempfile.TemporaryFile()  # noqa: SIM115 (closed by whoever reads it)
        pid = os.fork()
        if pid == 0:
            self._report = report
            return True
        self._running[pid] = scenario, point, report
        return False

    def end(self, problems: Sequence[str]) -> NoReturn:
        """End this branch, without anything that the process it came from has yet to do."""
        assert self._report is not None
        self._report.write(json.dumps(problems).encode())
        self._report.flush()
        os._exit(0)

    def join(self) -> None:
        """Wait for all."""
        while self._running:
            self._wait()

    def _wait(self) -> None:
        pid, status = os.wait()
        scenario, point, report = self._running.pop(pid)
        with report:
            report.seek(0)
            text = report.read()
        whole = status == 0 and bool(text)
        self._told(scenario, point, json.loads(text) if whole else [f"its process ended with status {status}"])
