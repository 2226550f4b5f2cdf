"""One harmless event through the deployed platform: sent over HTTPS, seen processed."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from infra.deploy.account import Account
from infra.deploy.problems import DeployError
from infra.deploy.root import Address
from infra.deploy.terminal import Terminal

EVENT = "stepwell/deployment.checked"
ACCEPTED_WITHIN_S = 90.0
PROCESSED_WITHIN_S = 120.0
# Right after a deployment: the API's new stage spreads, a function learns of new keys within a minute.
_PASSING = frozenset({401, 403, 404, 429, 500, 502, 503, 504})
_A_FAULT_LASTS_S = 20.0
"""A 500 is mostly a fault in the app, which does not pass."""


def address(account: Account, api_id: str, api_stage: str) -> Address:
    """The REST API's own address. An emulator serves it under a path of its own."""
    if account.endpoint:
        return Address(f"{account.endpoint.rstrip('/')}/restapis/{api_id}/{api_stage}/_user_request_")
    suffix = "amazonaws.com.cn" if account.region.startswith("cn-") else "amazonaws.com"
    return Address(f"https://{api_id}.execute-api.{account.region}.{suffix}/{api_stage}")


def run(base: Address, event_key: str, signing_key: str, terminal: Terminal) -> None:
    """Send an event and see it processed; tells how long each took. Raises DeployError."""
    body = json.dumps({"name": EVENT, "id": f"smoke-{uuid.uuid4().hex}", "data": {}}).encode()
    began = time.monotonic()
    answer = _until(
        lambda: _request(base, f"/e/{quote(event_key, safe='')}", body=body),
        ACCEPTED_WITHIN_S,
        terminal,
        "the event is not accepted yet",
    )
    accepted = time.monotonic()
    terminal.detail(f"accepted after {_ms(accepted - began)}")
    event_id = answer["ids"][0]
    found = _until(
        lambda: _request(base, f"/v1/events/{event_id}", bearer=signing_key),
        PROCESSED_WITHIN_S,
        terminal,
        "the event is not processed yet",
    )
    if not found.get("data", {}).get("processed_at"):
        raise DeployError(f"The answer about event {event_id} does not say that it was processed: {found}")
    terminal.detail(f"processed, and seen so over the API, {_ms(time.monotonic() - accepted)} later")


class _Refused(Exception):
    """An answer that is no success; `status` is 0 where there was none."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}" if status else text)
        self.status = status


def _request(base: Address, path: str, *, body: bytes | None = None, bearer: str | None = None) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
    headers |= {"Host": base.host} if base.host else {}
    try:
        request = urllib.request.Request(base.url + path, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=35) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found
    except urllib.error.HTTPError as error:
        raise _Refused(error.code, error.read(500).decode(errors="replace")) from None
    except (OSError, ValueError) as error:
        raise _Refused(0, str(error)) from None


def _until(ask: Callable[[], dict[str, Any]], within_s: float, terminal: Terminal, waiting: str) -> dict[str, Any]:
    """Ask until there is an answer. What does not pass by itself, and what lasts too long, raises DeployError."""
    began = told = time.monotonic()
    pause = 0.1
    while True:
        try:
            return ask()
        except _Refused as refused:
            now = time.monotonic()
            patience = min(within_s, _A_FAULT_LASTS_S) if refused.status == 500 else within_s
            if now - began > patience or (refused.status and refused.status not in _PASSING):
                raise DeployError(f"The smoke event failed: after {_ms(now - began)} {waiting}: {refused}") from None
            if now - told > 15:
                told = now
                terminal.detail(f"… {waiting} ({refused.status or refused})")
            time.sleep(pause)
            pause = min(pause * 1.5, 2.0)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.0f} s"
