"""``make dev``: owns the emulator and the server, reloads the server, and stops both in order."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from types import FrameType

from infra.local import cloud, session, terminal
from infra.local.server_process import ServerProcess
from infra.local.settings import HOST, PROJECT, DevError, Settings
from infra.local.watch import changed, snapshot

LOOK_EVERY_S = 0.4
PAUSE_AFTER_CRASH_S = 1.0


def say(text: str) -> None:
    """A line of the supervisor's own; a terminal that has gone must not keep us from stopping in order."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stdout, flush=True)  # noqa: T201


def listen(port: int) -> socket.socket:
    """The socket that every server process of the session inherits; loopback only."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        why = os.strerror(error.errno or 0)
        raise DevError(
            f"Port {port} on {HOST} is not free ({why}): another program has it, perhaps `make dev`.\n"
            f"Stop that one, or take another port: make dev PORT={port + 1}"
        ) from None
    return listening


class Supervisor:
    """One session of the local cloud."""

    def __init__(self, config: Settings) -> None:
        self._config = config
        self._stopping = threading.Event()

    def run(self) -> int:
        """Until Ctrl-C or SIGTERM. Returns the exit code."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        started = time.time()
        config = self._config
        with terminal.foreground(), session.exclusive(config) as lock, listen(config.port) as listening:
            lost = session.begin(config)
            if lost:
                say(lost)
            try:
                aws = cloud.start(config.state_dir, log=config.emulator_log, hold=(lock,))
            except BaseException:
                if not lost:
                    session.end(config)  # Nothing had begun that could be lost.
                raise
            server = ServerProcess(config.app_dir, self._environment(aws), listening)
            code = 1
            try:
                server.start(started)
                code = self._watch(aws, server)
            finally:
                server.stop()
                self._farewell(aws.stop() and session.saved_since(config, started))
            return code

    def _watch(self, aws: cloud.Cloud, server: ServerProcess) -> int:
        """Reload on changes, start the server again when it died, end when the emulator does."""
        app_dir = self._config.app_dir
        seen = snapshot(app_dir)
        while not self._stopping.wait(LOOK_EVERY_S):
            if aws.process.poll() is not None:
                say(f"The emulator ended by itself; its log is {self._config.emulator_log}.")
                return 1
            now = snapshot(app_dir)
            names = changed(seen, now, app_dir)
            died = server.ended()
            if names:
                more = " and more" if len(names) > 3 else ""
                say(f"{', '.join(names[:3])}{more} changed; loading again")
                server.stop()
            elif died is not None:
                say(
                    f"The server process ended by itself ({_cause(died)}), perhaps killed by a step. It is "
                    "started again; messages it held come back after their visibility timeout."
                )
                self._stopping.wait(PAUSE_AFTER_CRASH_S)
            if (names or died is not None) and not self._stopping.is_set():
                seen = now
                server.start()
        return 0

    def _environment(self, aws: cloud.Cloud) -> dict[str, str]:
        """The server's environment: nothing of the user's AWS, everything of ours."""
        config = self._config
        paths = [str(PROJECT), os.environ.get("PYTHONPATH")]
        return {
            **cloud.clean_environment(os.environ),
            **aws.env,
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "PYTHONUNBUFFERED": "1",
            "PORT": str(config.port),
            "WORKERS": str(config.workers),
            "APPS": ",".join(config.apps),
            "STEPWELL_APP_DIR": str(config.app_dir),
            "STEPWELL_HOME": str(config.home),
        }

    def _farewell(self, saved: bool) -> None:
        if saved:
            session.end(self._config)
            say("Stopped; state saved.")
        else:
            say("Stopped, but the state could not be saved: the next start goes on from what was saved last.")

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping.set()


def _cause(code: int) -> str:
    """An exit code or signal, in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
