"""The ground that everything stands on: a copy of the tree, an emulator, and clients for it. Gone afterwards."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local import cloud, emulator, stack
from infra.local.settings import HOST, PROJECT, REGION

STAGE = "e2e"
PLAIN_STAGE = "plain"
# The shortest times that the settings allow, so that what was killed comes back soon; and little side by side, since
# each invocation that waits for another is a process of its own here.
_SETTINGS = """
[stages.{stage}]
architecture = "{architecture}"
events_timeout_s = 30
work_timeout_s = 30
hand_over_below_s = 5
receive_count = {receives}
events_max_concurrency = 2
work_max_concurrency = {work}
"""
RECEIVES = 6


@dataclass(frozen=True)
class Ground:
    """Where things are. ``environment`` is that of a person who deploys."""

    folder: Path
    project: Path
    endpoint: str
    environment: Mapping[str, str]
    emulator_log: Path
    journal: Path

    @property
    def marks(self) -> Path:
        """A folder where e2e functions leave traces of what they did, outside of what the platform keeps."""
        return self.folder / "marks"

    @property
    def functions(self) -> Path:
        """The copy's functions."""
        return self.project / "chalicelib" / "functions"

    def client(self, service: str) -> Any:
        """A boto3 client of the account's root."""
        return stack.client(service, self.endpoint)


@contextlib.contextmanager
def prepared() -> Iterator[Ground]:
    """A copy of the tree and an emulator to deploy it into. Everything that was started is stopped at the end, the
    emulator last; the folder is removed."""
    with tempfile.TemporaryDirectory(prefix="stepwell-e2e-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        project = folder / "project"
        copy_tree(project)
        (folder / "marks").mkdir()
        (folder / "cloud").mkdir()
        port, log, journal = cloud.free_port(), folder / "emulator.log", folder / "deliveries.jsonl"
        process = cloud.spawn(port, folder / "cloud", log, more=emulator.for_deployments(journal))
        try:
            endpoint = f"http://{HOST}:{port}"
            yield Ground(folder, project, endpoint, _environment(endpoint), log, journal)
        finally:
            cloud.stop(process)
            # Functions that were still at work are the emulator's children and of its process group.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)


def copy_tree(to: Path) -> None:
    """The tree as it is, with what is not committed and without what git ignores; then what is e2e's alone."""
    for name in _tracked():
        source = PROJECT / name
        if source.is_file():  # One may be deleted and not yet committed.
            target = to / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for source in (PROJECT / "tests" / "e2e" / "functions").glob("*.py"):
        shutil.copy2(source, to / "chalicelib" / "functions" / f"e2e_{source.name}")
    architecture = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    with (to / "infra" / "settings.toml").open("a", encoding="utf-8") as settings:
        for stage, work in ((STAGE, 3), (PLAIN_STAGE, 2)):
            settings.write(_SETTINGS.format(stage=stage, architecture=architecture, receives=RECEIVES, work=work))


def _tracked() -> list[str]:
    """The files of the tree, relative to it; without git (a downloaded archive), all but what is hidden or made."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=PROJECT, capture_output=True, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        files = (path.relative_to(PROJECT) for path in PROJECT.rglob("*") if path.is_file())
        return [str(file) for file in files if not _is_made(file)]
    return [name for name in listed.split("\0") if name]


def _is_made(file: Path) -> bool:
    """Whether a file is none of the tree's own: an environment's, a cache's, or what an earlier deployment left."""
    if file.parts[0] == ".chalice":
        return file.name != "config.json"
    return file.parts[0].startswith(".") or "__pycache__" in file.parts


def _environment(endpoint: str) -> dict[str, str]:
    """This machine's environment without its AWS and without ours, and the way to the emulator. What leads pip to its
    packages stays."""
    theirs = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "STEPWELL_", "MAKE"))}
    return {
        **theirs,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "PYTHONUNBUFFERED": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }


class Children:
    """Commands under way; those that are left at the end are killed with everything that they started."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()

    def start(self, command: list[str], cwd: Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
        """Start one, in a session of its own; its output and errors are one stream of text."""
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        with self._lock:
            self._running.add(process)
        return process

    def kill(self, process: subprocess.Popen[str]) -> None:
        """End it at once, as a lost connection or a closed laptop would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.ended(process)

    def ended(self, process: subprocess.Popen[str]) -> None:
        """It has ended by itself."""
        with self._lock:
            self._running.discard(process)

    def kill_all(self) -> None:
        """End those that still run."""
        for process in list(self._running):
            self.kill(process)
