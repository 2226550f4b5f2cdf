"""The story apps: each a process that serves the functions of all stories with one SDK, and tells what they did."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local.cloud import clean_environment, free_port
from infra.local.settings import HOST, PROJECT
from tests.sdk.harness.server import Failed, Server, eventually, tail

TYPESCRIPT = PROJECT / "tests" / "sdk" / "typescript"


@dataclass(frozen=True)
class Kind:
    """One way to write an app: an id of its own in the server, and the program that serves it."""

    app_id: str
    program: tuple[str, ...]
    # Where the SDK serves it, and other paths of the same program that are apps too.
    path: str = "/api/inngest"


FLASK = Kind("flask", (sys.executable, "-m", "tests.sdk.python.flask_app"))
FASTAPI = Kind("fastapi", (sys.executable, "-m", "tests.sdk.python.fastapi_app"))
NODE = Kind("typescript", ("node", str(TYPESCRIPT / "app.js")))
# The same program, as an app whose steps are not reported while it runs.
NODE_PLAIN = Kind("typescript-plain", NODE.program, "/plain/api/inngest")
KINDS = {kind.app_id: kind for kind in (FLASK, FASTAPI, NODE, NODE_PLAIN)}


def missing(kind: Kind) -> str | None:
    """What this machine lacks to run it, in words; None where nothing is."""
    if kind.program[0] != "node":
        return None
    if shutil.which("node") is None:
        return "node is not installed: the stories of the TypeScript SDK are left out"
    if not (TYPESCRIPT / "node_modules" / "inngest").exists():
        return "the TypeScript SDK is not installed: `make test-sdk` does that"
    return None


@dataclass
class App:
    """A running program."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    synced: set[str] = field(default_factory=set)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """One request; its status and what was answered, as JSON where it is."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        with contextlib.closing(connection):
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"})
            response = connection.getresponse()
            payload = response.read()
            try:
                return response.status, json.loads(payload)
            except ValueError:
                return response.status, payload.decode(errors="replace")

    def redirected(self, path: str) -> tuple[int, str]:
        """One request; its status and where it sends the caller."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            return response.status, response.getheader("Location") or ""

    def ran(self, key: str) -> list[Any]:
        """What the functions recorded under a key, in order."""
        status, answer = self.ask("GET", f"/record/{key}")
        assert status == 200, answer
        notes: list[Any] = answer
        return notes

    def sync(self, path: str) -> None:
        """Have the SDK register its functions, as a deploy does; once for each path."""
        if path in self.synced:
            return
        status, answer = self.ask("PUT", path)
        # The Python SDK answers 200 whatever it was told.
        if status != 200 or "error" in answer:
            raise Failed(f"{self.address}{path} could not be synced: {status} {answer}\n{tail(self.log)}")
        self.synced.add(path)


@contextlib.contextmanager
def running(kind: Kind, server: Server, directory: Path, more: Mapping[str, str]) -> Iterator[App]:
    """The program, in development mode unless `more` (laid over its environment) says otherwise."""
    port, log = free_port(), directory / f"{kind.app_id}.log"
    env = {
        **clean_environment(os.environ),
        "PORT": str(port),
        "APP_ID": kind.app_id,
        "INNGEST_DEV": server.address,
        "PYTHONUNBUFFERED": "1",
        **more,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(kind.program, cwd=PROJECT, env=env, stdout=output, stderr=output)
    app = App(port, process, log)

    def answers() -> bool:
        assert process.poll() is None, f"{kind.app_id} ended with {process.returncode}:\n{tail(log)}"
        with contextlib.suppress(OSError, http.client.HTTPException):
            return app.ask("GET", "/record/none")[0] == 200
        return False

    try:
        eventually(answers, lambda: f"{kind.app_id} does not answer:\n{tail(log)}")
        yield app
    finally:
        process.terminate()
        process.wait(30)
