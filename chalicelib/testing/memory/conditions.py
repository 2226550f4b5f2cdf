"""Conditions, filters, key conditions and projections: texts become trees, kept by their text."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from chalicelib.testing.memory.refusals import invalid
from chalicelib.testing.memory.tokens import Name, Operand, Scope, Value, Words
from chalicelib.testing.memory.values import Item, is_less

_COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")


@dataclass(frozen=True)
class Comparison:
    """`left op right`. Nothing compares with an attribute that is missing; it is unequal to everything."""

    op: str
    left: Operand
    right: Operand

    def holds(self, item: Item, scope: Scope) -> bool:
        left, right = self.left.read(item, scope), self.right.read(item, scope)
        if self.op == "<>":
            return left is None or left != right
        if left is None or right is None:
            return False
        if self.op == "=":
            return left == right
        if self.op in ("<=", ">=") and left == right:
            return "BOOL" not in left
        return is_less(left, right) if self.op in ("<", "<=") else is_less(right, left)


@dataclass(frozen=True)
class Between:
    """`of BETWEEN low AND high`, both included."""

    of: Operand
    low: Operand
    high: Operand

    def holds(self, item: Item, scope: Scope) -> bool:
        return Comparison(">=", self.of, self.low).holds(item, scope) and Comparison("<=", self.of, self.high).holds(
            item, scope
        )


@dataclass(frozen=True)
class OneOf:
    """`of IN (one, another)`."""

    of: Operand
    values: tuple[Operand, ...]

    def holds(self, item: Item, scope: Scope) -> bool:
        return any(Comparison("=", self.of, value).holds(item, scope) for value in self.values)


@dataclass(frozen=True)
class Presence:
    """attribute_exists, attribute_not_exists."""

    name: Name
    is_there: bool

    def holds(self, item: Item, scope: Scope) -> bool:
        return (self.name.of(scope) in item) is self.is_there


@dataclass(frozen=True)
class Part:
    """contains, or begins_with, of texts."""

    name: Name
    part: Operand
    is_first: bool

    def holds(self, item: Item, scope: Scope) -> bool:
        text, part = self.name.read(item, scope), self.part.read(item, scope)
        if not text or not part or "S" not in text or "S" not in part:
            return False
        return text["S"].startswith(part["S"]) if self.is_first else part["S"] in text["S"]


@dataclass(frozen=True)
class Not:
    part: Condition

    def holds(self, item: Item, scope: Scope) -> bool:
        return not self.part.holds(item, scope)


@dataclass(frozen=True)
class Joined:
    """AND of all parts, or OR."""

    parts: tuple[Condition, ...]
    is_all: bool

    def holds(self, item: Item, scope: Scope) -> bool:
        held = (part.holds(item, scope) for part in self.parts)
        return all(held) if self.is_all else any(held)


Condition = Comparison | Between | OneOf | Presence | Part | Not | Joined


@dataclass(frozen=True)
class Parsed:
    """A condition, and the placeholders that it mentions."""

    condition: Condition
    placeholders: frozenset[str]


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Parsed:
    """Raises Refused, or NotImplementedError for what is not known here."""
    words = Words(text)
    condition = _either(words)
    if not words.is_over:
        raise words.wrong()
    return Parsed(condition, frozenset(words.placeholders))


def _either(words: Words) -> Condition:
    parts = [_every(words)]
    while words.took("OR"):
        parts.append(_every(words))
    return parts[0] if len(parts) == 1 else Joined(tuple(parts), is_all=False)


def _every(words: Words) -> Condition:
    parts = [_negated(words)]
    while words.took("AND"):
        parts.append(_negated(words))
    return parts[0] if len(parts) == 1 else Joined(tuple(parts), is_all=True)


def _negated(words: Words) -> Condition:
    if words.took("NOT"):
        return Not(_negated(words))
    if words.took("("):
        inner = _either(words)
        words.expect(")")
        return inner
    return _call(words) if words.is_call() else _comparison(words)


def _call(words: Words) -> Condition:
    function = words.take()
    words.expect("(")
    if function in ("attribute_exists", "attribute_not_exists"):
        found: Condition = Presence(words.name(), function == "attribute_exists")
    elif function in ("begins_with", "contains"):
        name = words.name()
        words.expect(",")
        found = Part(name, words.operand(), function == "begins_with")
    else:
        raise NotImplementedError(f"the function {function}")
    words.expect(")")
    return found


def _comparison(words: Words) -> Condition:
    left = words.operand()
    op = words.take()
    if op == "BETWEEN":
        low = words.operand()
        words.expect("AND")
        return Between(left, low, words.operand())
    if op == "IN":
        words.expect("(")
        values = [words.operand()]
        while words.took(","):
            values.append(words.operand())
        words.expect(")")
        return OneOf(left, tuple(values))
    if op not in _COMPARISONS:
        raise words.wrong()
    return Comparison(op, left, words.operand())


@dataclass(frozen=True)
class KeyRange:
    """What a query asks for: a partition, and of its rows those whose range key is so. `op` is a comparison, BETWEEN,
    begins_with, or nothing for all of them."""

    partition: str
    op: str = ""
    low: str = ""
    high: str = ""


def key_range(condition: Condition, scope: Scope, hash_name: str, range_name: str) -> KeyRange:
    """Raises Refused when the condition is none for these keys."""
    parts = condition.parts if isinstance(condition, Joined) and condition.is_all else (condition,)
    by_name = {_key_of(part, scope): part for part in parts}
    partition, bound = by_name.pop(hash_name, None), by_name.pop(range_name, None)
    if not isinstance(partition, Comparison) or partition.op != "=" or by_name or len(parts) > 2:
        raise invalid("Query condition missed key schema element, or is not supported")
    of = _text(partition.right, scope)
    match bound:
        case None:
            return KeyRange(of)
        case Comparison(op=op, right=right) if op != "<>":
            return KeyRange(of, op, _text(right, scope))
        case Part(part=prefix, is_first=True):
            return KeyRange(of, "begins_with", _text(prefix, scope))
        case Between(low=low, high=high):
            bounds = KeyRange(of, "BETWEEN", _text(low, scope), _text(high, scope))
            if bounds.low > bounds.high:
                raise invalid("The BETWEEN operator requires upper bound to be greater than or equal to lower bound")
            return bounds
    raise invalid("Unsupported operator in a KeyConditionExpression")


def _key_of(part: Condition, scope: Scope) -> str:
    match part:
        case Comparison(left=Name() as name) | Between(of=Name() as name) | Part(name=name):
            return name.of(scope)
    raise invalid("Unsupported operand or operator in a KeyConditionExpression")


def _text(operand: Operand, scope: Scope) -> str:
    value = scope.values[operand.text] if isinstance(operand, Value) else {}
    if "S" not in value:
        raise invalid("Condition parameter type does not match schema type")
    if not value["S"]:
        raise invalid("The AttributeValue for a key attribute cannot contain an empty string value")
    text: str = value["S"]
    return text


@functools.lru_cache(maxsize=128)
def projection(text: str) -> tuple[tuple[Name, ...], frozenset[str]]:
    """The attributes that a projection names, and the placeholders that it mentions."""
    words = Words(text)
    found = [words.name()]
    while words.took(","):
        found.append(words.name())
    if not words.is_over:
        raise words.wrong()
    return tuple(found), frozenset(words.placeholders)
