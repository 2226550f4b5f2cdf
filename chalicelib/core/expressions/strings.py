"""String literals: both quotes, single and triple, raw and escaped, read in one pass without backtracking."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

_SIMPLE = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "?": "?", '"': '"', "'": "'", "`": "`",
}  # fmt: skip
_HEX_DIGITS = {"x": 2, "X": 2, "u": 4, "U": 8}
_HEX = frozenset("0123456789abcdefABCDEF")

Fail = Callable[[str, int], NoReturn]
"""Raises InvalidExpression with the message at that offset of the text."""


def read_string(text: str, start: int, quote_at: int, raw: bool, fail: Fail) -> tuple[str, int]:
    """Return the value of the literal whose quote stands at `quote_at`, and the offset behind it.

    `start` is where the literal begins (its prefix counts); what goes wrong is told through `fail`. In a raw
    string a backslash is a character like any other, so the first closing quote closes it.
    """
    quote = text[quote_at]
    triple = text.startswith(quote * 3, quote_at)
    closing = quote * 3 if triple else quote
    at = quote_at + len(closing)
    parts: list[str] = []
    while at < len(text):
        if text.startswith(closing, at):
            return "".join(parts), at + len(closing)
        char = text[at]
        if char == "\\" and not raw:
            decoded, at = _escape(text, at, fail)
            parts.append(decoded)
        elif char in "\r\n" and not triple:
            break
        else:
            parts.append(char)
            at += 1
    return fail(f"this string is never closed; its closing {closing} is missing", start)


def _escape(text: str, at: int, fail: Fail) -> tuple[str, int]:
    """Decode the escape at `at`, a backslash; return its character and the offset behind it."""
    letter = text[at + 1 : at + 2]
    if letter in _SIMPLE:
        return _SIMPLE[letter], at + 2
    if letter in _HEX_DIGITS:
        end = at + 2 + _HEX_DIGITS[letter]
        digits = text[at + 2 : end]
        if len(digits) < _HEX_DIGITS[letter] or not _HEX.issuperset(digits):
            fail(f"\\{letter} needs {_HEX_DIGITS[letter]} hexadecimal digits", at)
        code = int(digits, 16)
    elif letter and letter in "0123":
        end = at + 4
        digits = text[at + 1 : end]
        if len(digits) < 3 or not set(digits) <= set("01234567"):
            fail("an octal escape is a backslash and three octal digits, at most \\377", at)
        code = int(digits, 8)
    elif not letter:
        fail("the expression ends inside a string", at)
    else:
        fail(f"unknown escape \\{letter}; write \\\\ for a backslash", at)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        fail("this escape names no character", at)
    return chr(code), end
