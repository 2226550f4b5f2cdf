"""The words of an expression, and what all grammars have in common."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from chalicelib.testing.memory.refusals import invalid
from chalicelib.testing.memory.values import Item, Typed

_TOKEN = re.compile(r"\s*([:#][A-Za-z0-9_]+|[A-Za-z_][A-Za-z0-9_]*|<>|<=|>=|[=<>(),+.\[\]-])|\s*$")
_WORD = re.compile(r"[A-Za-z_]\w*")
_KEYWORDS = frozenset({"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "IN", "BETWEEN"})


@dataclass(frozen=True)
class Scope:
    """What the placeholders of an expression stand for."""

    names: dict[str, str]
    values: Item


@dataclass(frozen=True)
class Name:
    """An attribute, by its name or by a placeholder (`#n`) for it."""

    text: str

    def of(self, scope: Scope) -> str:
        return scope.names[self.text] if self.text.startswith("#") else self.text

    def read(self, item: Item, scope: Scope) -> Typed | None:
        return item.get(self.of(scope))


@dataclass(frozen=True)
class Value:
    """A placeholder (`:v`) for a value."""

    text: str

    def read(self, _item: Item, scope: Scope) -> Typed | None:
        return scope.values[self.text]


Operand = Name | Value


class Words:
    """The words of an expression, one after the other. Raises Refused where they are none."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words: list[str] = []
        self.placeholders: set[str] = set()
        self._at = position = 0
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                raise self.wrong()
            position = found.end()
            if found[1]:
                self._words.append(found[1])
        if not self._words:
            raise invalid("Invalid expression: The expression can not be empty;")

    def wrong(self) -> Exception:
        near = " ".join(self._words[self._at : self._at + 3])
        return invalid(f'Syntax error in expression "{self._text}", near "{near}"')

    @property
    def is_over(self) -> bool:
        return self._at == len(self._words)

    def peek(self) -> str:
        """The next word, keywords in capitals; nothing at the end."""
        if self.is_over:
            return ""
        word = self._words[self._at]
        return word.upper() if word.upper() in _KEYWORDS else word

    def take(self) -> str:
        word = self.peek()
        self._at += 1
        return word

    def took(self, *words: str) -> bool:
        """Take the next word if it is one of these."""
        if self.peek() not in words or self.is_over:
            return False
        self._at += 1
        return True

    def expect(self, word: str) -> None:
        if not self.took(word):
            raise self.wrong()

    def is_call(self) -> bool:
        """Whether a function comes next."""
        return self._words[self._at + 1 : self._at + 2] == ["("] and _WORD.fullmatch(self._words[self._at]) is not None

    def name(self) -> Name:
        word = self.take()
        if word.startswith("#"):
            self.placeholders.add(word)
        elif not _WORD.fullmatch(word) or word in _KEYWORDS:
            raise self.wrong()
        elif word.upper() in _reserved():
            raise invalid(f"Attribute name is a reserved keyword; reserved keyword: {word}")
        if self.peek() in (".", "["):
            raise NotImplementedError(f"paths into documents: {self._text!r}")
        return Name(word)

    def operand(self) -> Operand:
        if self.is_call():
            raise NotImplementedError(f"the function {self.peek()} as an operand: {self._text!r}")
        if not self.peek().startswith(":"):
            return self.name()
        word = self.take()
        self.placeholders.add(word)
        return Value(word)


@functools.cache
def _reserved() -> frozenset[str]:
    """The words that DynamoDB does not take as names."""
    from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

    return frozenset(ReservedKeywords.get_reserved_keywords())
