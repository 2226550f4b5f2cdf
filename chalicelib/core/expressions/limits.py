"""The bounds of an expression. Each is checked before the work that it bounds, and its error names limit and
place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What an expression may cost to read.

    Attributes: `text_bytes` (UTF-8), `nesting` (open brackets, and signs in a row), `depth` (operators and
    calls inside each other; bounds Python's recursion), `terms` (nodes of the syntax tree, each step of a
    path counted), `list_items` (of one list literal), `pattern_bytes` (of one regular expression, UTF-8),
    `macros` (inside each other).
    """

    text_bytes: int = 4096
    nesting: int = 32
    depth: int = 64
    terms: int = 500
    list_items: int = 100
    pattern_bytes: int = 256
    macros: int = 3


USER_LIMITS = Limits()

# A stored condition is our own text, made from an expression that kept the user's limits. Lifting its
# literals can lengthen it and printing can add brackets, so it is read under wider ones.
STORED_LIMITS = Limits(text_bytes=65536, nesting=160, depth=80, terms=2000)

# What one evaluation may do: elements visited by a macro times the size of its body, list elements compared,
# and one step for each 256 characters that a text function reads or writes.
MAX_STEPS = 100_000
CHARACTERS_PER_STEP = 256
MAX_TEXT = 65_536
MAX_LIST = 10_000
