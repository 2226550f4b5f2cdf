"""Reading what an app sent: JSON within bounds, errors in whatever form, texts to show."""

from __future__ import annotations

import json
from typing import Any, Final

from chalicelib.core import limits
from chalicelib.core.calls import ErrorInfo
from chalicelib.core.errors import UserError
from chalicelib.core.events import too_deep

NOT_JSON: Final = "OutputNotSerializable"
_SHOWN_CHARS: Final = 300


class Broken(UserError):
    """What an app sent cannot be read. With a `name` it is JSON, or almost, but cannot be kept, and so it would be the
    next time: the name of that error."""

    def __init__(self, message: str, name: str | None = None) -> None:
        super().__init__(message)
        self.name = name


def parse(body: bytes | str) -> Any:
    """The JSON value. Raises Broken."""
    try:
        text = body.decode() if isinstance(body, bytes) else body
    except UnicodeDecodeError:
        raise Broken("it is not UTF-8") from None
    try:
        return json.loads(text, parse_constant=_no_such_number)
    except RecursionError:
        raise Broken("it is nested too deeply", NOT_JSON) from None
    except ValueError as error:  # Also an integer of thousands of digits.
        raise Broken(f"it is not JSON: {error}") from None


def _no_such_number(name: str) -> None:
    raise Broken(f"it holds {name}, which JSON has not: send null or a text", NOT_JSON)


def measured(value: Any) -> int:
    """The bytes of an output's compact JSON. Raises Broken for one that is too large or cannot be kept."""
    try:
        size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode())
    except (UnicodeEncodeError, RecursionError):
        raise Broken("it holds text that is not valid Unicode, or is nested too deeply", NOT_JSON) from None
    except ValueError:  # 1e999 reads as infinity.
        raise Broken("it holds a number that is too large", NOT_JSON) from None
    if size > limits.MAX_STEP_OUTPUT_BYTES:
        raise Broken(
            f"it has {size:,} bytes; at most {limits.MAX_STEP_OUTPUT_BYTES:,} are allowed: "
            "store it elsewhere, in S3 for instance, and return where it is",
            "LimitExceeded",
        )
    if too_deep(value, limits.MAX_EVENT_DEPTH):
        raise Broken(f"it is nested more than {limits.MAX_EVENT_DEPTH} levels deep", NOT_JSON)
    return size


def shown(body: bytes | str, chars: int = _SHOWN_CHARS) -> str:
    """The beginning of a text, on one line."""
    text = body[: 4 * chars].decode("utf-8", "replace") if isinstance(body, bytes) else body[:chars]
    line = "".join(char if char.isprintable() else " " for char in clean(text))
    cut = " ".join(line.split())
    return cut[:chars] + "…" if len(cut) > chars or len(body) > 4 * chars else cut


def clean(text: str) -> str:
    """The text without halves of surrogate pairs, which cannot be stored."""
    return text.encode("utf-8", "backslashreplace").decode()


def error_info(value: Any, name: str = "Error") -> ErrorInfo:
    """An error as SDKs send it: an object with name, message and stack, one with `error`, a text, that as JSON, or
    whatever else the app threw."""
    if isinstance(value, str):
        value = _unpacked(value)
    if isinstance(value, dict):
        inner = value.get("error")
        if not value.get("message") and isinstance(inner, dict):
            return error_info({**inner, "error": None}, name)
        message = _text(value.get("message")) or _text(inner) or shown(_dumped(value))
        return ErrorInfo.of(_text(value.get("name")) or name, message, _text(value.get("stack")) or None)
    text = clean(value) if isinstance(value, str) else "" if value is None else shown(_dumped(value))
    return ErrorInfo.of(name, text or "the app told no more")


def _unpacked(text: str) -> Any:
    if text.startswith("{"):
        try:
            return parse(text)
        except Broken:
            pass  # A message that begins like an object.
    return text


def _text(value: Any) -> str:
    return clean(value) if isinstance(value, str) else ""


def _dumped(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return f"({type(value).__name__})"
