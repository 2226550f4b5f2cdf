"""Starts and stops an emulated AWS with our stack in it: for ``make dev``, for tests and for benchmarks.

with cloud.start() as aws:
    os.environ.update(aws.env)
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from infra.local import emulator, stack
from infra.local.settings import HOST, PROJECT, DevError

READY_WITHIN_S = 30.0
STOP_WITHIN_S = 30.0
CLOUDY = ("AWS_", "LOCALSTACK_", "MINISTACK_")
PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy"})


@dataclass
class Cloud:
    """A running emulator with the stack. ``env`` is the environment of a process that works against it."""

    endpoint: str
    port: int
    outputs: dict[str, str]
    env: dict[str, str]
    process: subprocess.Popen[bytes]
    scratch: Path | None

    def __enter__(self) -> Cloud:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> bool:
        """Stop, saving the state where it is kept; True when the emulator ended cleanly. Repeatable."""
        clean = stop(self.process)
        if self.scratch is not None:
            shutil.rmtree(self.scratch, ignore_errors=True)
        return clean


def start(
    state_dir: Path | None = None,
    port: int | None = None,
    *,
    stage: str = "dev",
    log: Path | None = None,
    hold: tuple[int, ...] = (),
) -> Cloud:
    """Start the emulator and make the stack. Without ``state_dir`` nothing outlives ``stop()``.

    ``hold`` are descriptors that the emulator keeps open as long as it lives, such as a lock on its state.
    """
    scratch = Path(tempfile.mkdtemp(prefix="stepwell-cloud-")) if state_dir is None else None
    data_dir = scratch or state_dir
    assert data_dir is not None
    data_dir.mkdir(parents=True, exist_ok=True)
    log = log or data_dir / "emulator.log"
    chosen = port or free_port()
    process: subprocess.Popen[bytes] | None = None
    try:
        process = spawn(chosen, data_dir, log, persist=scratch is None, hold=hold)
        endpoint = f"http://{HOST}:{chosen}"
        outputs = stack.deploy(endpoint, stage)
    except BaseException:
        if process is not None:
            stop(process)
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
        raise
    return Cloud(endpoint, chosen, outputs, stack.environment(endpoint, outputs), process, scratch)


def free_port() -> int:
    """A port on the loopback interface that nobody listens on just now."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def clean_environment(source: Mapping[str, str]) -> dict[str, str]:
    """The environment without anything that could lead an AWS client to a real account or through a proxy."""
    return {
        name: value for name, value in source.items() if not name.startswith(CLOUDY) and name.lower() not in PROXIES
    }


@contextlib.contextmanager
def _started_anew(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as handle:
        yield handle.fileno()


def spawn(
    port: int,
    data_dir: Path,
    log: Path,
    *,
    persist: bool = False,
    hold: tuple[int, ...] = (),
    more: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """An empty emulator that answers, in a session of its own; it stops by itself when its standard input closes.

    ``more`` is laid over its environment.
    """
    env = clean_environment(os.environ) | emulator.environment(port, data_dir, persist=persist) | dict(more or {})
    with _started_anew(log) as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.local.emulator"],
            cwd=PROJECT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=hold,
            start_new_session=True,
        )
    try:
        _await_ready(process, port, log)
    except BaseException:
        stop(process)
        raise
    return process


def _await_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        if _answers(port):
            return
        time.sleep(0.02)
    what = f"ended with code {process.returncode}" if process.returncode is not None else "does not answer"
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:]) if log.exists() else ""
    raise DevError(f"The emulator (ministack) {what}. Its log, {log}, ends:\n{tail}")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/_ministack/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def stop(process: subprocess.Popen[bytes]) -> bool:
    """Ask the emulator to save and end; kill it only when it does not. True after a clean end."""
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()
    try:
        return process.wait(STOP_WITHIN_S) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
