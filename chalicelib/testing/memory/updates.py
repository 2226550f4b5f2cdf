"""Update expressions: SET and REMOVE."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from decimal import Decimal

from chalicelib.testing.memory.refusals import invalid
from chalicelib.testing.memory.tokens import Name, Operand, Scope, Words
from chalicelib.testing.memory.values import Item, Typed, plus


@dataclass(frozen=True)
class IfNotExists:
    """if_not_exists: what is there, or else the other."""

    name: Name
    otherwise: Operand

    def read(self, item: Item, scope: Scope) -> Typed | None:
        there = self.name.read(item, scope)
        return self.otherwise.read(item, scope) if there is None else there


Term = Operand | IfNotExists


@dataclass(frozen=True)
class Assignment:
    """`name = first`, `first + second`, or `first - second`."""

    name: Name
    first: Term
    second: Term | None = None
    is_sum: bool = True

    def value(self, item: Item, scope: Scope) -> Typed:
        """Raises Refused."""
        first = _there(self.first.read(item, scope))
        if self.second is None:
            return first
        second = _number(_there(self.second.read(item, scope)))
        return {"N": plus(_number(first), second if self.is_sum else second.copy_negate())}


def _there(value: Typed | None) -> Typed:
    if value is None:
        raise invalid("The provided expression refers to an attribute that does not exist in the item")
    return value


def _number(value: Typed) -> Decimal:
    if "N" not in value:
        raise invalid("An operand in the update expression has an incorrect data type")
    return Decimal(value["N"])


@dataclass(frozen=True)
class Update:
    """What an expression does, and the placeholders that it mentions."""

    assignments: tuple[Assignment, ...]
    removals: tuple[Name, ...]
    placeholders: frozenset[str]

    def names(self, scope: Scope) -> list[str]:
        """The attributes that it writes."""
        return [one.name.of(scope) for one in self.assignments] + [name.of(scope) for name in self.removals]

    def carried_out(self, item: Item, scope: Scope) -> Item:
        """The item afterwards: all values are those from before. Raises Refused."""
        changed = item | {one.name.of(scope): one.value(item, scope) for one in self.assignments}
        for name in self.removals:
            changed.pop(name.of(scope), None)
        return changed


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Update:
    """Raises Refused, or NotImplementedError for what is not known here."""
    words = Words(text)
    assignments: list[Assignment] = []
    removals: list[Name] = []
    while not words.is_over:
        section = words.take()
        if section in ("ADD", "DELETE"):
            raise NotImplementedError(f"{section} in an update")
        if section not in ("SET", "REMOVE") or (assignments if section == "SET" else removals):
            raise words.wrong()
        while True:
            if section == "SET":
                assignments.append(_assignment(words))
            else:
                removals.append(words.name())
            if not words.took(","):
                break
    return Update(tuple(assignments), tuple(removals), frozenset(words.placeholders))


def _assignment(words: Words) -> Assignment:
    name = words.name()
    words.expect("=")
    first = _term(words)
    is_sum = words.took("+")
    if not is_sum and not words.took("-"):
        return Assignment(name, first)
    return Assignment(name, first, _term(words), is_sum)


def _term(words: Words) -> Term:
    if words.peek() != "if_not_exists" or not words.is_call():
        return words.operand()
    words.take()
    words.expect("(")
    name = words.name()
    words.expect(",")
    found = IfNotExists(name, words.operand())
    words.expect(")")
    return found
