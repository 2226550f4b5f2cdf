"""How many steps of a function run at once, and which of its runs come first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Concurrency:
    """At most `limit` steps run at once: of the function, or of all that share the `key` (`scope` "env" or "account",
    which are the same here).

    `key` is an expression on `event`; each of its values has places of its own. What finds no place waits in order.
    """

    limit: int
    key: str | None = None
    scope: Literal["fn", "env", "account"] | None = None


@dataclass(frozen=True)
class Priority:
    """`run`, an expression on `event`, gives the seconds by which a run is ahead of others that wait (negative:
    behind), -600 to 600."""

    run: str
