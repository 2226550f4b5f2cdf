"""Pages of one other origin may call, if the environment names it: chalice needs to know when the app is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ORIGIN = "https://app.example.com"
ASK = """
import contextlib, json
from app import app
from chalicelib.web import dispatch
from infra.local.gateway import Gateway, Request

class Platform:
    invocation = contextlib.nullcontext

    class keyring:
        accepts_authorization = staticmethod(lambda header: header == "Bearer right")

dispatch.platform = Platform
gateway = Gateway(app)
found = {}
for name, method, path, headers in (
    ("preflight", "OPTIONS", "/v1/runs/x", []),
    ("refused", "GET", "/v1/runs", []),
    ("wrong method", "PUT", "/v1/runs", [("Authorization", "Bearer right")]),
    ("index", "GET", "/", [("Authorization", "Bearer right")]),
):
    answer = gateway.handle(Request(method, path, [("Origin", "https://evil.example"), *headers], b""))
    found[name] = {"status": answer.status, **dict(answer.headers)}
print(json.dumps(found))
"""


def ask() -> dict[str, Any]:
    environment = {"STEPWELL_CORS_ORIGIN": ORIGIN, "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_answer_names_exactly_that_origin() -> None:
    found = ask()
    assert {name: answer["status"] for name, answer in found.items()} == {
        "preflight": 200,
        "refused": 401,
        "wrong method": 405,
        "index": 200,
    }
    assert {answer["Access-Control-Allow-Origin"] for answer in found.values()} == {ORIGIN}
    preflight = found["preflight"]
    assert "Authorization" in preflight["Access-Control-Allow-Headers"]
    assert preflight["Access-Control-Allow-Methods"] == "GET,DELETE,OPTIONS"
