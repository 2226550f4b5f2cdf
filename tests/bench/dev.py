"""`make dev` as a user starts it, in a directory of its own, and what its times are."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.cloud import free_port
from infra.local.settings import HOST, PROJECT

_WITHIN_S = 60.0


class NotYet(Exception):
    """The event has not been processed."""


@dataclass
class Server:
    """A running development server."""

    port: int
    supervisor: int

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection(HOST, self.port, timeout=30)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """One request on a kept connection; what was answered, as JSON."""
        text = None if body is None else json.dumps(body)
        self._connection.request(method, path, text, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        payload = json.loads(response.read())
        if response.status == 404:
            raise NotYet(payload)
        assert response.status < 300, payload
        return payload

    def send(self, events: list[dict[str, Any]]) -> list[str]:
        ids: list[str] = self.ask("POST", "/e/bench", events)["ids"]
        return ids

    def finished(self, event_id: str) -> dict[str, Any]:
        """The run that the event started, once it has ended."""
        deadline = time.monotonic() + _WITHIN_S
        while time.monotonic() < deadline:
            try:
                runs = self.ask("GET", f"/v1/events/{event_id}/runs")["data"]
            except NotYet:
                runs = []
            if runs and runs[0]["ended_at"] is not None:
                found: dict[str, Any] = runs[0]
                assert found["status"] == "Completed", found
                return found
            time.sleep(0.05)
        raise AssertionError(f"the run of {event_id} did not end within {_WITHIN_S:.0f} s")

    def cpu_s(self) -> float | None:
        """Seconds of CPU that our server process has used, without the emulator; None where /proc does not tell."""
        with contextlib.suppress(OSError, ValueError, StopIteration):
            children = Path(f"/proc/{self.supervisor}/task/{self.supervisor}/children").read_text().split()
            server = next(pid for pid in children if b"infra.local.serve" in Path(f"/proc/{pid}/cmdline").read_bytes())
            fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return None


@contextlib.contextmanager
def server(directory: Path) -> Iterator[Server]:
    """`python -m infra.local dev` with the functions of this bench, its state in `directory`."""
    app = directory / "app"
    app.mkdir(parents=True)
    shutil.copy(PROJECT / "app.py", app)
    shutil.copytree(
        PROJECT / "chalicelib", app / "chalicelib", ignore=shutil.ignore_patterns("__pycache__", "functions")
    )
    functions = app / "chalicelib" / "functions"
    functions.mkdir()
    (functions / "__init__.py").write_text('"""Measured."""\n')
    shutil.copy(Path(__file__).with_name("functions_for_bench.py"), functions / "measured.py")
    port = free_port()
    env = {**os.environ, "PORT": str(port), "STEPWELL_APP_DIR": str(app), "STEPWELL_HOME": str(directory / "home")}
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.local", "dev"], cwd=PROJECT, env=env, stdout=log, stderr=log
        )
    try:
        _await(port, process, directory / "log")
        yield Server(port, process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, AssertionError, http.client.HTTPException, ValueError):
            Server(port, process.pid).ask("GET", "/health")
            return
        time.sleep(0.1)
    raise RuntimeError(f"the development server did not start:\n{log.read_text()[-2000:]}")


@dataclass(frozen=True)
class Times:
    """Milliseconds, but for `runs_per_s` and `count`."""

    to_start: list[float]
    per_step: list[float]
    baseline: list[float]
    runs_per_s: float
    burst: int
    cpu_per_run: float | None


def measure(at: Server, singles: int = 40, burst: int = 100) -> Times:
    """Runs one after the other, the baseline before and after them, then a burst."""
    at.finished(at.send([{"name": "bench/ten"}])[0])
    baseline = _baseline(at)
    to_start, per_step = [], []
    for _ in range(singles):
        sent_ns = time.time_ns()
        began: list[int] = at.finished(at.send([{"name": "bench/ten"}])[0])["output"]
        to_start.append((began[0] - sent_ns) / 1e6)
        per_step += [(later - earlier) / 1e6 for earlier, later in itertools.pairwise(began)]
    baseline += _baseline(at)
    return Times(to_start, per_step, baseline, *_burst(at, burst))


def _baseline(at: Server) -> list[float]:
    took: list[int] = at.finished(at.send([{"name": "bench/baseline"}])[0])["output"]
    return [one / 1e6 for one in took]


def _burst(at: Server, count: int) -> tuple[float, int, float | None]:
    cpu = at.cpu_s()
    began = time.time()
    ids = at.send([{"name": "bench/ten"}] * count)
    time.sleep(count * 0.02)  # Asking meanwhile would be work, too.
    ended = max(_seconds(at.finished(one)["ended_at"]) for one in ids)
    used = at.cpu_s()
    return count / (ended - began), count, None if cpu is None or used is None else (used - cpu) * 1000 / count


def _seconds(iso: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(iso).timestamp()


def median_and_p95(values: list[float]) -> tuple[float, float]:
    """Of a list of measurements."""
    return statistics.median(values), statistics.quantiles(values, n=20)[-1]
