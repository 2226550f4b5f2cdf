"""What the models of a function's configuration share: their form, and checks of what users write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from chalicelib.core.durations import parse_duration
from chalicelib.core.errors import UserError

T = TypeVar("T")
_checked_before: ContextVar[bool] = ContextVar("checked_before", default=False)


class Config(BaseModel):
    """A part of a configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


@contextmanager
def checked_before() -> Iterator[None]:
    """Functions made inside have their conditions taken as they are. Those of a deployment were checked when it was
    packaged, those of an app when it was synced; to compile them again would cost each cold start the grammar."""
    token = _checked_before.set(True)
    try:
        yield
    finally:
        _checked_before.reset(token)


def as_value_error(check: Callable[..., T], *given: object) -> T:
    """What the check answers; the user's mistakes that it raises become those that a model reports."""
    try:
        return check(*given)
    except UserError as error:
        raise ValueError(str(error)) from None


def expression(text: str | None, *roots: str) -> str | None:
    """A condition or key that may name these roots. Raises ValueError."""
    if text is not None and not _checked_before.get():
        from chalicelib.core.expressions import compile_expression

        as_value_error(lambda: compile_expression(text, roots=frozenset(roots)))
    return text


def duration_between(text: str, least_ms: int, most_ms: int, range_text: str) -> str:
    """A duration from least to most, which `range_text` names. Raises ValueError."""
    if not least_ms <= as_value_error(parse_duration, text) <= most_ms:
        raise ValueError(f"must be {range_text}, not {text!r}")
    return text
