"""`chalice local`, run for real: it answers what to run instead, and touches nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from infra.local import cloud

NAMES = [
    f"STEPWELL_{name}"
    for name in (
        *("TABLE_EVENTS", "TABLE_RUNS", "TABLE_PAUSES", "TABLE_TIMERS", "QUEUE_EVENTS_URL", "QUEUE_WORK_URL"),
        *("DEAD_EVENTS_URL", "DEAD_WORK_URL", "BUCKET", "KEYS_PATH"),
    )
]
PROJECT = Path(__file__).resolve().parents[2]


def test_chalice_local_answers_that_make_dev_is_the_way() -> None:
    port = cloud.free_port()
    # As after `make infra`: what a deployed stage has is known, and would be used.
    environment = {**cloud.clean_environment(os.environ), **dict.fromkeys(NAMES, "stepwell-prod")}
    command = [str(Path(sys.executable).parent / "chalice"), "local", "--no-autoreload", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            status, body = _ask(f"http://127.0.0.1:{port}/v1/runs")
        finally:
            process.terminate()
            said = process.communicate(timeout=20)[0]
    assert (status, "Run `make dev`" in body) == (400, True), body
    assert "Traceback" not in said


def _ask(url: str) -> tuple[int, str]:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
