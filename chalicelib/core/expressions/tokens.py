"""The front door: text to tokens, in one bounded pass.

The stock lexer of cel-python is never run: its string terminals backtrack exponentially (42 bytes of
backslashes hold it for over a minute). This one looks at each character a bounded number of times, and the
parser is given its tokens instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NoReturn

from chalicelib.core.errors import InvalidExpression

from .limits import Limits
from .names import shortened
from .strings import read_string

# No alternative of these can match the same text in two ways, so none can backtrack beyond one character.
_SPACE = re.compile(r"[\t\n\f\r ]+|//[^\n]*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?")
_OPERATOR = re.compile(r"\|\||&&|<=|>=|==|!=|[?:<>+\-*/%!.()\[\]{},]")

_KEYWORDS = {"true": "BOOL_LIT", "false": "BOOL_LIT", "null": "NULL_LIT", "in": "in"}
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_ENDS_VALUE = frozenset({"IDENT", "INT_LIT", "FLOAT_LIT", "STRING_LIT", "BOOL_LIT", "NULL_LIT", ")", "]", "}"})
_HINTS = {
    "=": "use == to compare",
    "&": "use && for and",
    "|": "use || for or",
    "“": "use straight quotes, \" or '",
    "”": "use straight quotes, \" or '",
    "‘": "use straight quotes, \" or '",
    "’": "use straight quotes, \" or '",
    ";": "an expression is one condition, without ;",
    "$": "write a path as it is, without $",
    "`": "use \" or ' for a string",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A token: `kind` is a terminal of the grammar or an operator's own text, `value` the decoded string or
    the text."""

    kind: str
    value: str
    offset: int


def position(text: str, offset: int) -> tuple[int, int]:
    """Return line and column, both from 1, of an offset (in characters)."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def invalid(text: str, message: str, offset: int) -> InvalidExpression:
    """The error to raise for what stands at `offset`."""
    line, column = position(text, offset)
    return InvalidExpression(message, line=line, column=column)


def check_size(text: Any, limits: Limits) -> str:
    """Return the text if it is one and short enough; raises InvalidExpression."""
    if not isinstance(text, str):
        raise InvalidExpression(f"an expression is a text, not {type(text).__name__}")
    # Characters first: each is at least a byte, and encoding a huge text costs time.
    if len(text) > limits.text_bytes:
        raise InvalidExpression(f"the expression is longer than the limit of {limits.text_bytes} bytes")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise invalid(text, "this is half of a surrogate pair, not a character", error.start) from None
    if size > limits.text_bytes:
        raise InvalidExpression(f"the expression has {size} bytes; the limit is {limits.text_bytes} bytes")
    return text


def tokenize(text: str, limits: Limits) -> list[Token]:
    """Split the text; raises InvalidExpression. The time is linear in the length of the text."""
    return _Tokenizer(check_size(text, limits), limits).run()


class _Tokenizer:
    def __init__(self, text: str, limits: Limits) -> None:
        self.text = text
        self.limits = limits
        self.tokens: list[Token] = []
        self.open: list[Token] = []
        self.signs = 0

    def run(self) -> list[Token]:
        at = 0
        while at < len(self.text):
            space = _SPACE.match(self.text, at)
            at = space.end() if space else self._token(at)
        if self.open:
            self._fail(f"this {self.open[-1].value} is never closed", self.open[-1].offset)
        if not self.tokens:
            self._fail("the expression is empty", 0)
        return self.tokens

    def _fail(self, message: str, offset: int) -> NoReturn:
        raise invalid(self.text, message, offset)

    def _add(self, kind: str, value: str, offset: int) -> None:
        self.signs = self.signs + 1 if kind in ("!", "-") else 0
        if self.signs > self.limits.nesting:
            self._fail(f"more than {self.limits.nesting} signs in a row (the limit on nesting)", offset)
        self.tokens.append(Token(kind, value, offset))

    def _token(self, at: int) -> int:
        """Read one token at `at`, which is no space, and return the offset behind it."""
        text = self.text
        previous = self.tokens[-1].kind if self.tokens else ""
        if text[at] in "\"'":
            return self._string(at, at, raw=False)
        if word := _WORD.match(text, at):
            return self._word(word.group(), at, after_dot=previous == ".")
        # Behind a value the dot is a step of a path: a.5 is no number but a mistake.
        if (number := _NUMBER.match(text, at)) and not (text[at] == "." and previous in _ENDS_VALUE):
            return self._number(number.group(), at)
        if operator := _OPERATOR.match(text, at):
            self._brackets(operator.group(), at)
            self._add(operator.group(), operator.group(), at)
            return operator.end()
        hint = _HINTS.get(text[at])
        return self._fail(f"unexpected character {text[at]!r}" + (f"; {hint}" if hint else ""), at)

    def _word(self, word: str, at: int, after_dot: bool) -> int:
        end = at + len(word)
        if self.text[end : end + 1] in ("'", '"') and word.lower() in ("r", "b", "rb", "br"):
            if "b" in word.lower():
                self._fail("bytes literals are not supported: events hold none; write a string", at)
            return self._string(at, end, raw=True)
        # Behind a dot every word is a field's name, so that event.data.in and event.data.null can be read.
        self._add("IDENT" if after_dot else _KEYWORDS.get(word, "IDENT"), word, at)
        return end

    def _string(self, at: int, quote_at: int, raw: bool) -> int:
        value, end = read_string(self.text, at, quote_at, raw, self._fail)
        self._add("STRING_LIT", value, at)
        return end

    def _number(self, number: str, at: int) -> int:
        end = at + len(number)
        if is_integer := number[:2] in ("0x", "0X") or number.isdigit():
            # An unsigned integer of CEL is the same number here.
            end += self.text[end : end + 1] in ("u", "U")
        if trailing := _WORD.match(self.text, end):
            shown = shortened(number + trailing.group())
            self._fail(f"{shown} is neither a number nor a name; quote a text", at)
        self._add("INT_LIT" if is_integer else "FLOAT_LIT", number, at)
        return end

    def _brackets(self, operator: str, at: int) -> None:
        if operator in _CLOSING:
            if len(self.open) >= self.limits.nesting:
                self._fail(f"brackets are nested deeper than the limit of {self.limits.nesting}", at)
            self.open.append(Token(operator, operator, at))
        elif operator in _CLOSING.values():
            if not self.open:
                self._fail(f"this {operator} closes nothing", at)
            opener = self.open.pop()
            if _CLOSING[opener.value] != operator:
                self._fail(f"expected {_CLOSING[opener.value]} to close {opener.value}, found {operator}", at)
