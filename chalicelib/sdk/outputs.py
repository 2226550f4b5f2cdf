"""What a step or a function returns, made JSON: the function sees in every replay what is stored."""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel

from chalicelib.core import limits
from chalicelib.core.errors import LimitExceeded
from chalicelib.sdk.errors import OutputNotSerializable

_MAX_DEPTH: Final = limits.MAX_EVENT_DEPTH
_HINTS: Final = {
    "set": "return a sorted list of it",
    "frozenset": "return a sorted list of it",
    "bytes": "decode it, or encode it with base64",
    "bytearray": "decode it, or encode it with base64",
    "datetime": "return its isoformat()",
    "date": "return its isoformat()",
    "time": "return its isoformat()",
    "timedelta": "return its total_seconds()",
    "Decimal": "return str() or float() of it",
    "UUID": "return str() of it",
    "generator": "return a list of it",
}
_DEFAULT_HINT: Final = "return dicts, lists, texts, numbers, booleans and None only"


def to_json(
    value: object, what: str, max_bytes: int = limits.MAX_STEP_OUTPUT_BYTES, root: str = "result"
) -> tuple[Any, int]:
    """The value as JSON gives it back, and the UTF-8 bytes of its compact text.

    `what` names it in messages ("the output of step 'charge'"), `root` stands for it in paths. Keys of dicts
    become texts and tuples become lists, as in the json module. Raises OutputNotSerializable with the path of
    the first offending value, and LimitExceeded beyond `max_bytes`.
    """
    if value is None:
        return None, 4
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
        size = len(text.encode())
        if size <= max_bytes:
            result = json.loads(text)
            if not _may_be_deep(text) or _depth_is_fine(result):
                return result, size
    except Exception as error:
        raise OutputNotSerializable(f"{what} is not JSON: {_explain(value, root, error)}") from None
    if size > max_bytes:
        raise LimitExceeded(
            f"{what} has {size:,} bytes; at most {max_bytes:,} are allowed: "
            "store it elsewhere, in S3 for instance, and return where it is"
        )
    raise OutputNotSerializable(f"{what} is not JSON: {_explain(value, root, RecursionError())}")


def _may_be_deep(text: str) -> bool:
    return text.count("[") + text.count("{") > _MAX_DEPTH


def _depth_is_fine(value: object) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)  # type: ignore[attr-defined]
            if isinstance(child, dict | list)
        ]
        if not level:
            return True
    return False


def _explain(value: object, root: str, error: Exception) -> str:
    """Where the value is not JSON and what to do about it."""
    try:
        problem = next(_problems(value, root, ()), None)
    except Exception:  # An object of the user's may raise anything while it is looked at.
        problem = None
    return problem or f"{type(error).__name__}: {error}; {_DEFAULT_HINT}"


def _problems(value: object, path: str, above: tuple[int, ...]) -> Iterator[str]:
    """Every place in the value that JSON cannot hold; `above` are the containers around it."""
    if isinstance(value, dict | list | tuple):
        if id(value) in above:
            yield f"{path} contains itself; break the circle"
        elif len(above) >= _MAX_DEPTH:
            yield f"it is nested more than {_MAX_DEPTH} levels deep; flatten it"
        else:
            above = (*above, id(value))
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            for key, item in pairs:
                if isinstance(value, dict):
                    yield from _key_problems(key, path)
                yield from _problems(item, _join(path, key), above)
        return
    problem = _leaf_problem(value)
    if problem is not None:
        yield f"{path} {problem}"


def _join(path: str, key: object) -> str:
    if isinstance(key, str) and key.isidentifier():
        return f"{path}.{key}"
    return f"{path}[{str(key)[:40]!r}]" if isinstance(key, str) else f"{path}[{key}]"


def _key_problems(key: object, path: str) -> Iterator[str]:
    if isinstance(key, float) and not math.isfinite(key):
        yield f"{path} has a key that is {key}; JSON has no such number"
    elif isinstance(key, str) and not _is_unicode(key):
        yield f"{path} has a key with half of a surrogate pair; clean the text first"
    elif not isinstance(key, str | int | float | None):
        yield f"{path} has a key of type {type(key).__name__}; use texts as keys"


def _leaf_problem(value: object) -> str | None:
    if isinstance(value, str):
        return None if _is_unicode(value) else "is a text with half of a surrogate pair; clean the text first"
    if isinstance(value, float):
        return None if math.isfinite(value) else f"is {value}; JSON has no such number: use None or a text"
    if isinstance(value, int):
        return None if value.bit_length() < 10_000 else "is an integer with thousands of digits; use a text"
    if value is None:
        return None
    return f"is of type {type(value).__name__}; {_hint(value)}"


def _hint(value: object) -> str:
    if inspect.isawaitable(value):
        return "await it; only `async def` functions can"
    if isinstance(value, BaseModel):
        return "return its model_dump(mode='json')"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return "return dataclasses.asdict() of it"
    return _HINTS.get(type(value).__name__, _DEFAULT_HINT)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
