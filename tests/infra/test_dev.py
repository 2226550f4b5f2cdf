"""`make dev` as a user meets it: a small app of its own, run by the real launcher in the real processes."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.cloud import clean_environment, free_port
from infra.local.settings import PROJECT

pytestmark = pytest.mark.ministack

APP = """
import json, os, time, boto3
from chalice import Chalice
app = Chalice(app_name="stand-in")
sqs = boto3.client("sqs")
handled = []

@app.route("/e/{key}", methods=["POST"])
def send(key):
    body = json.dumps(app.current_request.json_body)
    sqs.send_message(QueueUrl=os.environ["STEPWELL_QUEUE_EVENTS_URL"], MessageBody=body)
    return {"ids": [key]}

@app.route("/handled")
def list_handled():
    return {"handled": handled}

@app.on_sqs_message(queue="stepwell-dev-events")
def on_event(event):
    for record in event:
        sqs.send_message(QueueUrl=os.environ["STEPWELL_QUEUE_WORK_URL"], MessageBody=record.body)

@app.on_sqs_message(queue="stepwell-dev-work")
def on_work(event):
    for record in event:
        do = json.loads(record.body)
        time.sleep(do.get("sleep", 0))
        if do.get("die"):
            os._exit(3)
        handled.append(do["name"])
        print("handled", do["name"], flush=True)

@app.schedule("rate(1 minute)")
def on_tick(event):
    handled.append("tick " + event.time)

@app.schedule("rate(5 minutes)")
def on_collect(event):
    pass
"""
WIRING = """
import os, time

class Clock:
    offset = int(os.environ["STEPWELL_CLOCK_OFFSET_MS"])
    def now_ms(self):
        return time.time_ns() // 1_000_000 + self.offset
    def advance(self, by_ms):
        self.offset += by_ms

class Platform:
    clock = Clock()
    woken = 0
    def wake_due(self):
        self.woken += 1
        print("woken", flush=True)

the_one = Platform()
def platform():
    return the_one
"""


class Session:
    """A running `python -m infra.local dev` on a stand-in app."""

    def __init__(self, app_dir: Path, port: int, home: Path | None = None) -> None:
        self.app_dir = app_dir
        self.log = (home or app_dir) / f"log-{port}.txt"
        env = clean_environment(os.environ) | {
            "STEPWELL_APP_DIR": str(app_dir),
            "STEPWELL_HOME": str(home or app_dir / ".stepwell"),
            "PORT": str(port),
            "PYTHONPATH": str(PROJECT),
        }
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "infra.local", "dev"],
                cwd=PROJECT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.port = port

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def text(self) -> str:
        return self.log.read_text()

    def handled(self) -> list[str]:
        names: list[str] = self.ask("GET", "/handled")[1]["handled"]
        return names

    def eventually(self, holds: Callable[[], bool], within_s: float = 15.0) -> None:
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGINT) -> int:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        return self.process.wait(30)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Session]]:
    """Starts a session, again on the same state when called again; ends what still runs."""
    (tmp_path / "chalicelib").mkdir()
    (tmp_path / "chalicelib" / "__init__.py").write_text("")
    (tmp_path / "chalicelib" / "wiring.py").write_text(WIRING)
    # The gateway makes its events with what function URLs use, too.
    web = tmp_path / "chalicelib" / "web"
    web.mkdir()
    (web / "__init__.py").write_text("")
    (web / "rest_events.py").write_text((PROJECT / "chalicelib" / "web" / "rest_events.py").read_text())
    (tmp_path / "app.py").write_text(APP)
    sessions: list[Session] = []

    def begin() -> Session:
        sessions.append(Session(tmp_path, free_port()))
        one = sessions[-1]
        one.eventually(lambda: "ready after" in one.text() or one.process.poll() is not None)
        return one

    yield begin
    for one in sessions:
        if one.process.poll() is None:
            one.stop()


def test_an_event_goes_through_both_queues_and_ctrl_c_is_clean(start: Callable[[], Session]) -> None:
    dev = start()
    assert dev.ask("POST", "/e/key", {"name": "first"}) == (200, {"ids": ["key"]})
    dev.eventually(lambda: "first" in dev.handled())
    dev.eventually(lambda: any(name.startswith("tick ") for name in dev.handled()))
    dev.ask("POST", "/e/key", {"name": "in-flight", "sleep": 0.8})
    time.sleep(0.2)
    assert dev.stop() == 0
    assert "handled in-flight" in dev.text()
    assert "Stopped; state saved." in dev.text()
    assert "Traceback" not in dev.text()
    assert not re.search(r"\x1b\[", dev.text())


def test_the_clock_moves_and_stays_moved(start: Callable[[], Session]) -> None:
    dev = start()
    status, answer = dev.ask("POST", "/dev/advance", {"by": "24h"})
    assert (status, answer["offset_ms"]) == (200, 86_400_000)
    assert answer["now_ms"] > time.time() * 1000 + 86_000_000
    assert "woken" in dev.text()
    assert dev.ask("POST", "/dev/advance", {"by": "soon"})[0] == 400
    assert dev.ask("GET", "/dev/advance")[0] == 405
    assert dev.stop(signal.SIGTERM) == 0
    again = start()
    assert again.ask("POST", "/dev/advance", {"by": "1h"})[1]["offset_ms"] == 90_000_000
    assert "1d ahead" in again.text()


def test_a_saved_file_is_loaded_again_and_a_mistake_is_shown_until_it_is_gone(
    start: Callable[[], Session],
) -> None:
    dev = start()
    app = dev.app_dir / "app.py"
    app.write_text(APP.replace('"ids": [key]', '"ids": [key, "new"]'))
    dev.eventually(lambda: dev.ask("POST", "/e/k", {"name": "n"})[1] == {"ids": ["k", "new"]})
    app.write_text(APP.replace("import json", "import json,,"))
    dev.eventually(lambda: dev.ask("GET", "/handled")[0] == 503)
    assert "SyntaxError" in dev.ask("GET", "/")[1]["detail"]
    assert 'File "app.py", line 2' in dev.text()
    app.write_text(APP)
    dev.eventually(lambda: dev.ask("GET", "/handled")[0] == 200)
    assert dev.stop() == 0


def test_a_step_that_kills_the_process_is_survived(start: Callable[[], Session]) -> None:
    dev = start()
    dev.ask("POST", "/e/k", {"name": "x", "die": True})
    dev.eventually(lambda: "exit code 3" in dev.text())
    dev.eventually(lambda: dev.ask("GET", "/handled")[0] == 200)
    assert dev.stop() == 0


def test_after_a_hard_kill_the_next_start_tells_what_was_lost(start: Callable[[], Session]) -> None:
    dev = start()
    (emulator,) = [
        int(entry.name)
        for entry in Path("/proc").glob("[0-9]*")
        if b"infra.local.emulator" in _read(entry / "cmdline")
        and f"\nPPid:\t{dev.process.pid}\n".encode() in _read(entry / "status")
    ] or [0]
    if not emulator:
        pytest.skip("no /proc here to find the emulator by")
    os.kill(emulator, signal.SIGKILL)
    dev.eventually(lambda: dev.process.poll() is not None)
    assert dev.process.returncode == 1
    again = start()
    assert "Lost: every event, run and step" in again.text()


def test_the_project_s_own_app_starts_a_run(tmp_path: Path) -> None:
    dev = Session(PROJECT, free_port(), tmp_path)
    try:
        dev.eventually(lambda: "ready after" in dev.text())
        assert dev.ask("GET", "/health")[0] == 200
        status, answer = dev.ask("POST", "/e/any", {"name": "demo/hello", "data": {"name": "Ada"}})
        assert status == 200, answer
        dev.eventually(lambda: re.search(r"run created +hello +run 01", dev.text()) is not None)
    finally:
        assert dev.stop() == 0


def test_a_taken_port_is_told_with_a_way_out(start: Callable[[], Session]) -> None:
    dev = start()
    second = subprocess.run(
        [sys.executable, "-m", "infra.local", "dev"],
        cwd=PROJECT,
        env=os.environ | {"STEPWELL_HOME": str(dev.app_dir / "other"), "PORT": str(dev.port)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 1
    assert f"make dev PORT={dev.port + 1}" in second.stderr
    assert "Traceback" not in second.stderr


def _read(path: Path) -> bytes:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""
