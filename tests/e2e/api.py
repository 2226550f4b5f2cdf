"""The deployed HTTP API, over the emulated API Gateway."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from tests.e2e.waiting import until

_ANSWER_WITHIN_S = 35.0
# Each request that waits for another would be a process of its own, with a cold start of its own.
_side_by_side = threading.Semaphore(2)
ENDED = ("Completed", "Failed", "Cancelled")


@dataclass(frozen=True)
class Answer:
    """What came back. ``body`` is read as JSON."""

    status: int
    body: Any
    took_s: float
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Api:
    """One stage's API at its address, with an event key and a bearer."""

    address: str
    event_key: str = ""
    bearer: str = ""

    def call(self, method: str, path: str, body: Any = None, *, bearer: str | None = None) -> Answer:
        """One request. ``bearer`` replaces the API's own; an empty one sends none."""
        parts = urlsplit(self.address)
        token = self.bearer if bearer is None else bearer
        headers = {"content-type": "application/json"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        content = None if body is None else json.dumps(body).encode()
        with _side_by_side:
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_ANSWER_WITHIN_S)
            began = time.monotonic()
            try:
                connection.request(method, parts.path.rstrip("/") + path, content, headers)
                response = connection.getresponse()
                text = response.read()
            finally:
                connection.close()
            took = time.monotonic() - began
        return Answer(response.status, json.loads(text) if text else None, took, dict(response.getheaders()))

    def get(self, path: str, **params: str) -> Any:
        """The answer's body; anything but 200 is a failure."""
        answer = self.call("GET", path + (f"?{urlencode(params)}" if params else ""))
        assert answer.status == 200, f"GET {path}: {answer.status} {answer.body}"
        return answer.body

    def send(self, name: str, data: dict[str, Any], **more: Any) -> str:
        """Send one event; its id."""
        answer = self.call("POST", f"/e/{quote(self.event_key, safe='')}", {"name": name, "data": data, **more})
        assert answer.status == 200, f"POST /e: {answer.status} {answer.body}"
        event_id: str = answer.body["ids"][0]
        return event_id

    def runs_of(self, event_id: str) -> dict[str, dict[str, Any]]:
        """The runs that an event started, by function; none while it has not been read from the queue."""
        answer = self.call("GET", f"/v1/events/{event_id}/runs")
        assert answer.status in (200, 404), f"runs of {event_id}: {answer.status} {answer.body}"
        return {run["function_id"]: run for run in answer.body["data"]} if answer.status == 200 else {}

    def run_of(self, event_id: str, function_id: str, within_s: float = 90) -> dict[str, Any]:
        """The function's run, once the event has started it."""
        what = f"event {event_id} starts {function_id}"
        return until(what, lambda: self.runs_of(event_id).get(function_id), within_s)

    def timeline(self, run_id: str) -> Any:
        """What happened in a run."""
        return self.get(f"/v1/runs/{run_id}/timeline")["data"]

    def ended(self, run_id: str, within_s: float = 120) -> dict[str, Any]:
        """The run, once it has ended in whatever way."""

        def look() -> dict[str, Any] | None:
            run: dict[str, Any] = self.get(f"/v1/runs/{run_id}")["data"]
            return run if run["status"] in ENDED else None

        return until(f"run {run_id} ends", look, within_s)

    def completed(self, event_id: str, function_id: str, within_s: float = 120) -> Any:
        """The output of the run that the event started, which must complete."""
        run = self.ended(self.run_of(event_id, function_id)["run_id"], within_s)
        assert run["status"] == "Completed", f"{function_id} is {run['status']}: {run}"
        return run["output"]
