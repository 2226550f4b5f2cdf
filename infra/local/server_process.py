"""The supervisor's hold on the process that loads the app (serve.py)."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from infra.local.settings import DRAIN_S


class ServerProcess:
    """One server process at a time, in a session of its own so that a Ctrl-C reaches the supervisor alone."""

    def __init__(self, app_dir: Path, env: dict[str, str], listening: socket.socket) -> None:
        self._app_dir = app_dir
        self._env = env
        self._socket = listening
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, started: float | None = None) -> None:
        """Start it; ``started`` (epoch seconds) is given the first time and prints the banner."""
        command = [sys.executable, "-m", "infra.local.serve", "--socket", str(self._socket.fileno())]
        if started is not None:
            command += ["--started", str(started)]
        self._process = subprocess.Popen(
            command,
            cwd=self._app_dir,
            env=self._env,
            stdin=subprocess.PIPE,
            pass_fds=(self._socket.fileno(),),
            start_new_session=True,
        )

    def ended(self) -> int | None:
        """Its exit code, once it has ended."""
        return None if self._process is None else self._process.poll()

    def stop(self) -> None:
        """Let it drain; kill it when it takes longer than it may."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(DRAIN_S + 5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
