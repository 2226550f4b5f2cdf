"""`make bench-cold`: how soon a handler is ready, how long a first and a later request take, and how large the package
is. Times are of this machine, so each stands beside a bare `import boto3` of the same minute.

The package is the one that `make deploy` uploads. The handlers are started from it as Lambda starts them, except that
botocore comes from this environment; requests go through the emulator.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.bench.engine import say
from tests.e2e.deploying import Hands
from tests.e2e.ground import STAGE, Ground, prepared

SIZE_GOAL_MB: Final = 7.0
# Of the issue that asked for it: 500 ms where a bare `import boto3` takes 283.
READY_GOAL: Final = 500 / 283
_TIMES: Final = 7
_REQUESTS: Final = 30
_BARE: Final = "import boto3"
_PLATFORM: Final = "from chalicelib.wiring import platform; platform()"
HANDLERS: Final = {
    "api_handler": f"import app; from chalicelib.web import dispatch; {_PLATFORM}",
    "on_event": f"import app; from chalicelib import deliveries; {_PLATFORM}",
    "on_work": f"import app; from chalicelib import deliveries; {_PLATFORM}",
    "on_tick": f"import app; from chalicelib.engine import tick; {_PLATFORM}",
    "on_collect": f"import app; from chalicelib.engine import collect; {_PLATFORM}",
}
_TIMED: Final = """
import sys, time
sys.path.insert(0, sys.argv[1])
began = time.process_time()
exec(sys.argv[2])
print((time.process_time() - began) * 1000)
"""


@dataclass(frozen=True)
class Ready:
    """Milliseconds of the processor from the start of the imports until a handler could begin."""

    name: str
    with_bytecode: float
    without: float
    bare: float


def main() -> int:
    with prepared() as ground, tempfile.TemporaryDirectory(prefix="stepwell-cold-") as folder:
        hands = Hands(ground)
        try:
            say("deploying into the emulator …")
            hands.infra("deploy", STAGE)
            package = newest_package(ground.project)
            print_size(package)
            root = Path(folder) / "package"
            with zipfile.ZipFile(package) as archive:
                archive.extractall(root)
            print_ready(readiness(root, handler_environment(ground)))
            print_requests(ground, hands)
        finally:
            hands.children.kill_all()
    return 0


def newest_package(project: Path) -> Path:
    """The deployment package that was made last."""
    found = (project / ".chalice" / "deployments").glob("*.zip")
    return max(found, key=lambda path: path.stat().st_mtime)


def print_size(package: Path) -> None:
    size = package.stat().st_size / 1e6
    with zipfile.ZipFile(package) as archive:
        parts: dict[str, int] = {}
        for entry in archive.infolist():
            top = entry.filename.split("/")[0].split("-")[0]
            parts[top] = parts.get(top, 0) + entry.compress_size
        unpacked = sum(entry.file_size for entry in archive.infolist()) / 1e6
    say(f"\npackage: {size:.2f} MB, unpacked {unpacked:.1f} MB   goal: at most {SIZE_GOAL_MB:.0f} MB")
    for name, part in sorted(parts.items(), key=lambda item: -item[1])[:8]:
        say(f"  {name:<28}{part / 1e6:>6.2f} MB")


def handler_environment(ground: Ground) -> dict[str, str]:
    """The environment of the deployed functions, as the emulator was told it."""
    found = ground.client("lambda").get_function_configuration(FunctionName=f"stepwell-{STAGE}-on_event")
    inherited = {name: value for name, value in ground.environment.items() if not name.startswith("PYTHON")}
    variables: dict[str, str] = found["Environment"]["Variables"]
    return {**inherited, **variables, "AWS_LAMBDA_FUNCTION_NAME": "bench", "PYTHONDONTWRITEBYTECODE": "1"}


def readiness(root: Path, environment: dict[str, str]) -> Iterator[Ready]:
    """Each handler from the package as it is, and from one without bytecode, beside a bare import; in turns, so that a
    busy minute falls on all of them."""
    plain = root.with_name("plain")
    shutil.copytree(root, plain, ignore=shutil.ignore_patterns("__pycache__"))
    for name, code in HANDLERS.items():
        rounds = [
            (_timed(root, code, environment), _timed(plain, code, environment), _timed(plain, _BARE, environment))
            for _ in range(_TIMES)
        ]
        yield Ready(name, *(min(column) for column in zip(*rounds, strict=True)))


def _timed(root: Path, code: str, environment: dict[str, str]) -> float:
    command = [sys.executable, "-c", _TIMED, str(root), code]
    ran = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return float(ran.stdout.split()[-1])


def print_ready(found: Iterator[Ready]) -> None:
    say(f"\n{'ready (CPU ms)':<16}{'package':>10}{'without bytecode':>18}{'bare boto3':>12}{'× bare':>9}{'goal ×':>9}")
    for one in found:
        ratio = one.with_bytecode / one.bare
        figures = f"{one.with_bytecode:>10.0f}{one.without:>18.0f}{one.bare:>12.0f}{ratio:>9.2f}{READY_GOAL:>9.2f}"
        say(f"{one.name:<16}{figures}")


def print_requests(ground: Ground, hands: Hands) -> None:
    api = hands.api(STAGE)
    lambdas = ground.client("lambda")

    def first() -> float:
        # Changed variables are served by a new process.
        variables = {**handler_environment(ground), "STEPWELL_BENCH": str(time.monotonic_ns())}
        kept = {name: value for name, value in variables.items() if name.startswith("STEPWELL_")}
        lambdas.update_function_configuration(FunctionName=f"stepwell-{STAGE}", Environment={"Variables": kept})
        return _milliseconds(lambda: api.call("GET", "/health"))

    first()
    colds = [first() for _ in range(5)]
    warm = [_milliseconds(lambda: api.call("GET", "/health")) for _ in range(_REQUESTS)]
    sent = [_milliseconds(lambda: api.send("bench/nobody-listens", {})) for _ in range(_REQUESTS)]
    say(f"\n{'requests through the emulator (ms)':<40}{'median':>10}{'longest':>10}")
    for name, times in (("first of a process", colds), ("GET /health", warm), ("POST /e, one event", sent)):
        say(f"{name:<40}{statistics.median(times):>10.0f}{max(times):>10.0f}")


def _milliseconds(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    os.environ.pop("AWS_PROFILE", None)
    sys.exit(main())
