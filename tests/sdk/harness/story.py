"""What a story's test works with: one app, one key of its own, and the runs that it starts."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from tests.sdk.harness.apps import App, Kind
from tests.sdk.harness.server import HOUR_MS, Server, eventually, tail

ENDED = ("Completed", "Failed", "Cancelled")


@dataclass
class Story:
    """One test on one SDK. Its events carry a key of its own, under which the app records what ran."""

    name: str
    kind: Kind
    app: App
    server: Server
    provider: str
    key: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def app_id(self) -> str:
        return self.kind.app_id

    def send(self, name: str, *, ts: int | None = None, **data: Any) -> str:
        """An event of this app, `<app id>/<name>`; its internal id."""
        more = {} if ts is None else {"ts": ts}
        return self.server.send(f"{self.app_id}/{name}", {"key": self.key, **data}, **more)

    def start(self, name: str | None = None, **data: Any) -> Run:
        """The run that an event starts (of the story's own name, unless another is given)."""
        return Run(self, self.send(name or self.name, **data))

    def ran(self, key: str | None = None) -> list[Any]:
        """What the app recorded, in order."""
        return self.app.ran(key or self.key)

    def await_ran(self, what: Any) -> list[Any]:
        """Until the app has recorded this; everything it recorded."""
        eventually(lambda: what in self.ran(), lambda: f"{what!r} never ran, only {self.ran()}\n{self.logs()}")
        return self.ran()

    def await_processed(self, event_id: str) -> dict[str, Any]:
        """Until an event has met all that it meets; its audit."""

        def audit() -> dict[str, Any] | None:
            found: dict[str, Any] | None = self.server.get(f"/v1/events/{event_id}")
            return found if found and (found.get("times") or {}).get("matched_at") else None

        return eventually(audit, lambda: f"event {event_id} was not processed\n{self.logs()}")

    def in_an_hour_ms(self) -> int:
        """How long an app must say that something takes, where the SDK turns it into a date by the machine's clock,
        so that it is an hour by the server's, which may be ahead."""
        return self.server.offset_ms + HOUR_MS

    def logs(self) -> str:
        """What the server and the app said last."""
        return f"--- server\n{tail(self.server.log, 15)}\n--- {self.app_id}\n{tail(self.app.log, 15)}"


@dataclass
class Run:
    """The run that an event started."""

    story: Story
    event_id: str

    def _find(self) -> dict[str, Any] | None:
        runs = self.story.server.get(f"/v1/events/{self.event_id}/runs")
        assert not runs or len(runs) == 1, runs
        return runs[0] if runs else None

    @property
    def id(self) -> str:
        run_id: str = eventually(self._find, lambda: f"no run was started\n{self.story.logs()}")["run_id"]
        return run_id

    def is_ended(self) -> bool:
        """Whether it has begun and ended."""
        found = self._find()
        return found is not None and found["status"] in ENDED

    def is_open(self) -> bool:
        """Whether it has begun and goes on."""
        found = self._find()
        return found is not None and found["status"] not in ENDED

    def ended(self) -> dict[str, Any]:
        """The run as the API shows it, once it has ended."""
        return eventually(lambda: self._find() if self.is_ended() else None, self._what_happened)

    def completed(self) -> Any:
        """Its output, once it has ended well."""
        found = self.ended()
        assert found["status"] == "Completed", f"{found}\n{self._what_happened()}"
        return found.get("output")

    def failed(self) -> dict[str, Any]:
        """Its error, once it has ended with one."""
        found = self.ended()
        assert found["status"] == "Failed", f"{found}\n{self._what_happened()}"
        error: dict[str, Any] = found["output"]
        return error

    def timeline(self) -> list[dict[str, Any]]:
        """What happened, entry by entry."""
        entries: list[dict[str, Any]] = self.story.server.get(f"/v1/runs/{self.id}/timeline") or []
        return entries

    def reached(self, *kinds: str) -> None:
        """Until the timeline has an entry of one of these kinds, such as `step.sleeping`."""

        def find() -> bool:
            return any(entry["type"] in kinds for entry in self.timeline())

        eventually(find, lambda: f"never {' or '.join(kinds)}\n{self._what_happened()}")

    def _what_happened(self) -> str:
        lines = "\n".join(map(str, self.timeline() if self._find() else []))
        return f"run: {self._find()}\ntimeline:\n{lines}\nran: {self.story.ran()}\n{self.story.logs()}"
