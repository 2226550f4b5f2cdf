"""Keeps apps on an SDK in sync: `make dev APPS=http://127.0.0.1:3000/api/inngest`. Each is asked for its functions
every few seconds, so that it may be started later, and what is changed in it is known soon."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import Any

from infra.local.gateway import Answer, Request

EVERY_S = 3.0
logger = logging.getLogger("stepwell.dev")


class AppSync:
    """Asks in a thread of its own. A line tells when an app is there for the first time or again, and when it is not;
    what a sync changed, the platform tells itself."""

    def __init__(self, urls: tuple[str, ...], respond: Callable[[Request], Answer], every_s: float = EVERY_S) -> None:
        self._urls = urls
        self._respond = respond
        self._every_s = every_s
        self._problems: dict[str, str | None] = {}
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin, if there is anything to ask."""
        if self._urls:
            threading.Thread(target=self._run, name="apps", daemon=True).start()

    def stop(self) -> None:
        """Ask no more."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            for url in self._urls:
                self._sync(url)
            self._stopping.wait(self._every_s)

    def _sync(self, url: str) -> None:
        headers = [("Host", "localhost"), ("Content-Type", "application/json")]
        answer = self._respond(Request("POST", "/v1/apps/sync", headers, json.dumps({"url": url}).encode()))
        body: dict[str, Any] = json.loads(answer.body)
        problem = None if answer.status == 200 else str(body["error"])
        if url in self._problems and self._problems[url] == problem:
            return
        self._problems[url] = problem
        if problem is not None:
            logger.warning("app not synced", extra={"url": url, "error": problem})
        else:
            app = body["data"]["app"] or {}
            logger.info("app is there", extra={"app": app.get("id"), "functions": len(app.get("functions", []))})
