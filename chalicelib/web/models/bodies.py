"""Request bodies: what they may be, and what is said when they are not."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from chalicelib.core.errors import TooLarge, UserError
from chalicelib.web.ingest import MAX_BODY_BYTES, parse_body


class InvalidBody(UserError):
    """A request body that cannot be used; the message names the field."""


class Body(BaseModel):
    """The JSON object that a route takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """Raises InvalidBody, TooLarge, or InvalidEvent for what is no JSON."""
        if len(raw) > MAX_BODY_BYTES:
            raise TooLarge(f"the body has {len(raw):,} bytes; at most {MAX_BODY_BYTES:,} are allowed")
        found = parse_body(raw, "application/json")
        if not isinstance(found, dict):
            raise InvalidBody("the body must be a JSON object")
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            raise InvalidBody("; ".join(cls._explained(problem) for problem in error.errors()[:5])) from None

    @classmethod
    def read_if_any(cls, raw: bytes) -> Self:
        """No body is one without fields."""
        return cls.read(raw if raw.strip() else b"{}")

    @classmethod
    def _explained(cls, problem: Any) -> str:
        field = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "missing":
            return f"{field} is missing"
        if problem["type"] == "extra_forbidden":
            known = ", ".join(found.alias or name for name, found in cls.model_fields.items())
            return f"unknown field {field!r}; known are {known}"
        message = str(problem["msg"]).removeprefix("Value error, ")
        return f"{field} {message[:1].lower()}{message[1:]}"
