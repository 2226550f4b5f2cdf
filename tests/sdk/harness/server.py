"""`make dev` as an app on an SDK meets it: a process of its own, with its own state and short waits for retries."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from infra.local.cloud import clean_environment, free_port
from infra.local.settings import HOST, PROJECT

WITHIN_S = 30.0
"""How long a condition is waited for: only what is broken takes that long."""
HOUR_MS = 3_600_000
T = TypeVar("T")


class Failed(AssertionError):
    """A request that was refused."""


class Server:
    """A development server that answers. Times in milliseconds, by its own clock, which can be moved."""

    def __init__(self, port: int, log: Path, *, bearer: str | None = None, event_key: str = "test") -> None:
        self.port = port
        self.log = log
        self.address = f"http://{HOST}:{port}"
        self.offset_ms = 0
        self.pids: dict[str, int] = {}
        self._headers = {"Content-Type": "application/json"}
        if bearer:
            self._headers["Authorization"] = f"Bearer {bearer}"
        self._event_key = event_key

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """One request; its status and what was answered, as JSON."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=WITHIN_S)
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body), self._headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")

    def get(self, path: str) -> Any:
        """What is there, or None where there is nothing (yet). Raises Failed."""
        status, answer = self.ask("GET", path)
        if status == 404:
            return None
        if status >= 300:
            raise Failed(f"GET {path}: {status} {answer}")
        return answer["data"]

    def send(self, name: str, data: dict[str, Any], **more: Any) -> str:
        """One event; its internal id."""
        status, answer = self.ask("POST", f"/e/{self._event_key}", {"name": name, "data": data, **more})
        if status != 200:
            raise Failed(f"{name} was not accepted: {status} {answer}")
        event_id: str = answer["ids"][0]
        return event_id

    def advance(self, by_ms: int = HOUR_MS) -> None:
        """Move the clock ahead; whatever has fallen due by then happens."""
        status, answer = self.ask("POST", "/dev/advance", {"by": f"{by_ms}ms"})
        assert status == 200, answer
        self.offset_ms = answer["offset_ms"]

    def now_ms(self) -> int:
        """What the server takes for now."""
        return time.time_ns() // 1_000_000 + self.offset_ms

    def cpu_s(self) -> dict[str, float]:
        """Seconds of CPU that our process ("us") and the emulator have used."""
        return {name: cpu_s(pid) for name, pid in self.pids.items()}


def eventually(what: Callable[[], T | None], otherwise: Callable[[], str], within_s: float = WITHIN_S) -> T:
    """Ask until there is an answer (None, False and nothing are none); `otherwise` tells what went wrong."""
    deadline = time.monotonic() + within_s
    pause_s = 0.01
    while True:
        answer = what()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(otherwise())
        time.sleep(pause_s)
        pause_s = min(0.1, pause_s * 1.3)


@contextlib.contextmanager
def running(directory: Path, **settings: str) -> Iterator[Server]:
    """`python -m infra.local dev` with its state in `directory`; `settings` are laid over its environment."""
    directory.mkdir(parents=True, exist_ok=True)
    port, log = free_port(), directory / "server.log"
    env = {
        **clean_environment(os.environ),
        "PORT": str(port),
        "STEPWELL_HOME": str(directory / "state"),
        "STEPWELL_RETRY_TABLE": "50ms",
        **settings,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.local", "dev"],
            cwd=PROJECT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = Server(port, log)
    try:
        await_answer(server, process)
        server.pids = _children(process.pid)
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        process.wait(60)


def await_answer(server: Server, process: subprocess.Popen[bytes]) -> None:
    """Until the server answers. Raises AssertionError with the end of its log."""

    def answers() -> bool:
        assert process.poll() is None, f"the server ended with {process.returncode}:\n{tail(server.log)}"
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            return server.ask("GET", "/health")[0] == 200
        return False

    eventually(answers, lambda: f"the server does not answer:\n{tail(server.log)}")


def tail(log: Path, lines: int = 40) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


def _children(supervisor: int) -> dict[str, int]:
    """The processes of a session by what they are; none where /proc does not tell."""
    found: dict[str, int] = {}
    with contextlib.suppress(OSError):
        for pid in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split():
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            name = "us" if b"infra.local.serve" in command else "emulator"
            found[name] = int(pid)
    return found


def cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has used, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
