"""By what flow control tells starts apart: the value of a key's expression for the event that starts a run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from chalicelib.core.canonical import NoCanonicalForm, texts
from chalicelib.core.errors import InvalidExpression
from chalicelib.core.expressions import compile_expression

_ROOTS = frozenset({"event"})
_SHOWN_CHARS = 80


@dataclass(frozen=True)
class FlowKey:
    """A key's value, as it is compared (`digest`, of its canonical JSON) and as people read it (`text`). `problem`:
    why it could not be evaluated; it is null then, and the run goes its way."""

    digest: str
    text: str
    problem: str | None = None

    @property
    def is_null(self) -> bool:
        return self.text == "null"


def key_of(expression: str | None, payload: dict[str, Any], field: str) -> FlowKey:
    """The key for an event; no expression is the key null. `field`, such as `rateLimit.key`, is named in the problem.
    Never raises: a key that cannot be evaluated must not lose a run."""
    if expression is None:
        return _made(None)
    try:
        result = compile_expression(expression, roots=_ROOTS).evaluate({"event": payload})
        if result.error is None:
            return _made(result.value)
        problem = result.error
    except (InvalidExpression, NoCanonicalForm) as error:
        problem = str(error)
    null = _made(None)
    return FlowKey(null.digest, null.text, f"{field} could not be evaluated: {problem}")


def _made(value: object) -> FlowKey:
    """Raises NoCanonicalForm."""
    # What is sent and not what is signed: large integers that no double tells apart stay apart.
    text, _ = texts(value)
    shown = text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
    return FlowKey(hashlib.sha256(text.encode()).hexdigest(), shown)
