"""What may be called and named, and what to say to somebody who got a name wrong."""

from __future__ import annotations

import difflib
import re
from typing import NamedTuple


class Signature(NamedTuple):
    """How many arguments a function takes (a method's receiver counted), and how it is written."""

    arguments: int
    usage: str


class MacroSignature(NamedTuple):
    """How many arguments a macro may have (its receiver not counted), and how it is written."""

    arguments: tuple[int, ...]
    usage: str


_DATE_PARTS = (
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
)
_TEXT_TESTS = ("startsWith", "endsWith", "contains", "matches")
_TEXT_CHANGES = ("lowerAscii", "upperAscii", "trim")
_CONVERSIONS = ("size", "int", "double", "string", "bool", "timestamp", "duration")

_TESTS = ("all", "exists", "exists_one", "filter")

METHODS = frozenset((*_DATE_PARTS, *_TEXT_TESTS, *_TEXT_CHANGES))
"""Functions that are printed behind their first argument."""

FUNCTIONS: dict[str, Signature] = {
    **{name: Signature(1, f"{name}(value)") for name in _CONVERSIONS},
    **{name: Signature(2, f"text.{name}('…')") for name in _TEXT_TESTS},
    **{name: Signature(1, f"text.{name}()") for name in _TEXT_CHANGES},
    **{name: Signature(1, f"timestamp(text).{name}()") for name in _DATE_PARTS},
}

MACROS: dict[str, MacroSignature] = {
    **{name: MacroSignature((2,), f"list.{name}(x, condition on x)") for name in _TESTS},
    "map": MacroSignature((2, 3), "list.map(x, value) or list.map(x, condition, value)"),
}

RESERVED = frozenset({"_"})
"""Names that a macro's variable may not have: stored conditions use them."""

_FIELDS = frozenset({"data", "user", "name", "id", "ts", "v"})
_WORDS = {
    "and": "&&",
    "or": "||",
    "not": "!",
    "AND": "&&",
    "OR": "||",
    "NOT": "!",
    "True": "true",
    "False": "false",
    "TRUE": "true",
    "FALSE": "false",
    "None": "null",
    "nil": "null",
    "NULL": "null",
    "undefined": "null",
}
_DASHED = re.compile(r"[A-Za-z0-9_]-$")
_QUOTED_AT_MOST = 40  # Characters of a name that a message repeats.


def shortened(text: str) -> str:
    """A piece of the user's text as a message repeats it."""
    return text if len(text) <= _QUOTED_AT_MOST else text[:_QUOTED_AT_MOST] + "…"


def explain_name(name: str, known: tuple[str, ...], text: str, offset: int) -> str:
    """The message for a name that is neither a root nor a macro's variable."""
    shown = shortened(name)
    message = f"unknown name '{shown}'"
    if name in _WORDS:
        return f"{message}; did you mean {_WORDS[name]}?"
    if _DASHED.search(text, max(0, offset - 2), offset):
        return f"{message}; a field with a dash in its name is written in brackets, as in event.data['order-id']"
    if close := difflib.get_close_matches(name[:_QUOTED_AT_MOST], known, n=1, cutoff=0.6):
        return f"{message}; did you mean '{close[0]}'?"
    if name in _FIELDS:
        paths = " or ".join(f"{root}.{name}" for root in known if root in ("event", "async"))
        return f"{message}; did you mean {paths}?" if paths else message
    if name in FUNCTIONS or name in MACROS or name == "has":
        return f"{message}; a function is called with parentheses"
    return f"{message}; if it is a text, quote it: '{shown}'"


def explain_function(name: str) -> str:
    """The message for a call of something that is no function."""
    message = f"unknown function '{shortened(name)}'"
    close = difflib.get_close_matches(name[:_QUOTED_AT_MOST], [*FUNCTIONS, *MACROS, "has"], n=1, cutoff=0.6)
    return f"{message}; did you mean '{close[0]}'?" if close else message
