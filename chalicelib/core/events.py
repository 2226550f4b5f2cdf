"""Events: what a user may send, and what we make of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from chalicelib.core import limits
from chalicelib.core.clock import to_iso
from chalicelib.core.errors import InvalidEvent

INVOKED = "inngest/function.invoked"
SCHEDULED = "inngest/scheduled.timer"
FINISHED = "inngest/function.finished"
FAILED = "inngest/function.failed"
CANCELLED = "inngest/function.cancelled"
LIFECYCLE = frozenset({FINISHED, FAILED, CANCELLED})


class IncomingEvent(BaseModel):
    """An event as a user sends it. Unknown fields are ignored, as the protocol's other servers do."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    name: str = Field(min_length=1, max_length=limits.MAX_EVENT_NAME_CHARS)
    data: dict[str, Any] = Field(default_factory=dict)
    user: dict[str, Any] = Field(default_factory=dict)
    id: str = Field(default="", max_length=limits.MAX_EVENT_ID_CHARS)
    ts: int = Field(default=0, ge=0, lt=2**53)
    v: str | None = None

    @field_validator("data", "user", mode="before")
    @classmethod
    def _null_is_empty(cls, value: object) -> object:
        return {} if value is None else value

    @field_validator("id", "ts", mode="before")
    @classmethod
    def _absent(cls, value: object, info: Any) -> object:
        if value is None:
            return 0 if info.field_name == "ts" else ""
        return value

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if value != value.strip() or not value.isprintable():
            raise ValueError("must not begin or end with white space or hold control characters")
        if value.startswith(limits.RESERVED_EVENT_PREFIX):
            raise ValueError(
                f"names that begin with {limits.RESERVED_EVENT_PREFIX!r} are reserved for events that Stepwell sends"
            )
        return value


class Event(BaseModel):
    """An accepted event.

    `received_at_us` (microseconds) is ours and decides what came before what; `ts` (milliseconds) is the sender's.
    """

    model_config = ConfigDict(frozen=True)

    internal_id: str
    received_at_us: int
    id: str
    name: str
    data: dict[str, Any] = Field(default_factory=dict)
    user: dict[str, Any] = Field(default_factory=dict)
    ts: int
    v: str | None = None
    source: str = "api"

    @property
    def received_at_ms(self) -> int:
        return self.received_at_us // 1000

    @property
    def user_id(self) -> str | None:
        """The id that the user gave, if any; ours stands in `id` where none was given."""
        return self.id if self.id != self.internal_id else None

    @classmethod
    def accept(cls, incoming: IncomingEvent, *, internal_id: str, received_at_us: int, source: str = "api") -> Self:
        return cls(
            internal_id=internal_id,
            received_at_us=received_at_us,
            id=incoming.id or internal_id,
            name=incoming.name,
            data=incoming.data,
            user=incoming.user,
            ts=incoming.ts or received_at_us // 1000,
            v=incoming.v,
            source=source,
        )

    def payload(self) -> dict[str, Any]:
        """What functions and expressions see."""
        body: dict[str, Any] = {"name": self.name, "data": self.data, "id": self.id, "ts": self.ts}
        if self.user:
            body["user"] = self.user
        if self.v is not None:
            body["v"] = self.v
        return body

    def wire(self) -> dict[str, Any]:
        """What the API shows."""
        return {
            "internal_id": self.internal_id,
            "source": self.source,
            "received_at": to_iso(self.received_at_ms),
            "id": self.id,
            "name": self.name,
            "data": self.data,
            "user": self.user,
            "ts": self.ts,
            "v": self.v,
        }


def too_deep(value: object, limit: int) -> bool:
    """Whether a JSON value is nested more than so many levels deep."""
    stack: list[tuple[Iterator[object], int]] = [(iter([value]), 0)]
    while stack:
        items, depth = stack[-1]
        for item in items:
            if isinstance(item, dict):
                stack.append((iter(item.values()), depth + 1))
                break
            if isinstance(item, list):
                stack.append((iter(item), depth + 1))
                break
        else:
            stack.pop()
        if len(stack) > limit + 1:  # The first stands for the value itself.
            return True
    return False


def measure(raw: object) -> int:
    """The size of an event as compact JSON, in bytes. Raises InvalidEvent for what is no JSON value."""
    try:
        return len(json.dumps(raw, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode())
    except (UnicodeEncodeError, RecursionError):
        raise InvalidEvent("the event holds text that is not valid Unicode, or is nested too deeply") from None
    except (ValueError, TypeError) as error:
        # JSON's own 1e999 reads as infinity, too.
        raise InvalidEvent(f"the event holds what is not a JSON value: {error}") from None


def check_bounds(raw: object, size_bytes: int) -> None:
    """Raises InvalidEvent for what is larger, or nested deeper, than an event may be."""
    if size_bytes > limits.MAX_EVENT_BYTES:
        raise InvalidEvent(f"the event has {size_bytes:,} bytes; at most {limits.MAX_EVENT_BYTES:,} are allowed")
    if too_deep(raw, limits.MAX_EVENT_DEPTH):
        raise InvalidEvent(f"the event is nested more than {limits.MAX_EVENT_DEPTH} levels deep")


def validate(raw: object, size_bytes: int) -> IncomingEvent:
    """The event, or InvalidEvent with a message that names the field and says what would be right."""
    if not isinstance(raw, dict):
        raise InvalidEvent(f"an event must be a JSON object with at least a name, not {_json_type(raw)}")
    check_bounds(raw, size_bytes)
    try:
        return IncomingEvent.model_validate(raw)
    except ValidationError as error:
        raise InvalidEvent("; ".join(_explain(problem) for problem in error.errors()[:5])) from None


def _explain(problem: Any) -> str:
    field = ".".join(str(part) for part in problem["loc"]) or "event"
    if problem["type"] == "missing":
        return f"{field} is missing"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{field}: {message[0].lower()}{message[1:]}"


def _json_type(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
