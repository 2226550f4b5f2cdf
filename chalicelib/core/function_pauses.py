"""A function is paused: its runs wait, or its events start nothing, until it is resumed (docs/FLOW.md, "Pause")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter

from chalicelib.core.clock import to_iso
from chalicelib.core.errors import LimitExceeded
from chalicelib.core.stored import Stored

PauseMode = Literal["queue", "skip"]
# They lie in one item, which is read whenever functions are looked up: so many take some 100 KB of it.
MAX_PAUSED = 1_000


class FunctionPause(Stored):
    """Since when a function is paused, and what becomes of its events. `id` is another for each pause."""

    id: str
    mode: PauseMode = "queue"
    since_ms: int

    @property
    def holds(self) -> bool:
        """Whether its runs wait."""
        return self.mode == "queue"

    @property
    def reason(self) -> str:
        """Why an event started nothing."""
        return f"the function was paused since {to_iso(self.since_ms)}, and skips events"

    def wire(self) -> dict[str, Any]:
        """What the API shows."""
        return {"mode": self.mode, "since": to_iso(self.since_ms)}


Paused = Mapping[str, FunctionPause]


@dataclass(frozen=True)
class Registered:
    """What counts the changes of apps, and which functions are paused; `pauses` counts the changes of that."""

    version: int = 0
    pauses: int = 0
    paused: Paused = field(default_factory=dict)


_paused: TypeAdapter[dict[str, FunctionPause]] = TypeAdapter(dict[str, FunctionPause])


def read(text: str | None) -> dict[str, FunctionPause]:
    """By the functions' ids."""
    return {} if text is None else _paused.validate_json(text)


def dump(paused: Paused) -> str:
    """What `read` reads."""
    return _paused.dump_json(dict(paused)).decode()


def with_pause(paused: Paused, fn_id: str, pause: FunctionPause) -> Paused:
    """One that is paused so already stays as it is: the very mapping is given back. Raises LimitExceeded."""
    before = paused.get(fn_id)
    if before is not None and (before.mode == pause.mode or before.id == pause.id):
        return paused
    if before is None and len(paused) >= MAX_PAUSED:
        raise LimitExceeded(f"{MAX_PAUSED:,} functions are paused: resume one first")
    return {**paused, fn_id: pause}


def without_pause(paused: Paused, fn_id: str, pause_id: str) -> Paused:
    """The very mapping is given back where this pause is over."""
    before = paused.get(fn_id)
    if before is None or before.id != pause_id:
        return paused
    return {other: pause for other, pause in paused.items() if other != fn_id}
