"""The syntax tree: our own small form, which the planner transforms and the compiler turns into closures.

Nodes compare as Python compares, where 1, 1.0 and true are equal: never use a node that holds a constant as a
key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Const:
    """A constant: a JSON value."""

    value: Any


@dataclass(frozen=True, slots=True)
class Path:
    """A path from a root or a macro's variable, all of its steps written out: names (str) and list positions
    (int)."""

    root: str
    keys: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """An element of what is computed, or under a computed key."""

    operand: Node
    key: Node


@dataclass(frozen=True, slots=True)
class Has:
    """has(operand.key): true if the field is there, be it null."""

    operand: Node
    key: Node


@dataclass(frozen=True, slots=True)
class Not:
    """!operand."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Negate:
    """-operand."""

    operand: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more items, in any order: false wins over an error."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more items, in any order: true wins over an error."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """A relation; `operator` is one of == != < <= > >= in."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A chain of operators that bind alike (+ and -, or * / %), from left to right; flat, so that a long sum
    is not deep."""

    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Conditional:
    """test ? then : otherwise."""

    test: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Call:
    """A function; a method's receiver is its first argument."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Macro:
    """source.name(variable, body...), evaluated for each element."""

    name: str
    source: Node
    variable: str
    body: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list literal."""

    items: tuple[Node, ...]


Node = (
    Const | Path | Index | Has | Not | Negate | And | Or | Compare | Arithmetic | Conditional | Call | Macro |
    ListOf )  # fmt: skip


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly under this one, in the order of the text."""
    match node:
        case Const() | Path():
            return ()
        case Index(operand, key) | Has(operand, key):
            return (operand, key)
        case Not(operand) | Negate(operand):
            return (operand,)
        case And(items) | Or(items) | ListOf(items):
            return items
        case Compare(_, left, right):
            return (left, right)
        case Arithmetic(first, rest):
            return (first, *(item for _, item in rest))
        case Conditional(test, then, otherwise):
            return (test, then, otherwise)
        case Call(_, arguments):
            return arguments
        case Macro(_, source, _, body):
            return (source, *body)


def rebuild(node: Node, parts: tuple[Node, ...]) -> Node:
    """The same node over other children, which come in the order of `children`."""
    match node:
        case Const() | Path():
            return node
        case Index() | Has() | Not() | Negate() | Conditional():
            return type(node)(*parts)
        case And() | Or() | ListOf():
            return type(node)(parts)
        case Compare(operator):
            return Compare(operator, *parts)
        case Arithmetic(_, rest):
            return Arithmetic(parts[0], tuple((o, p) for (o, _), p in zip(rest, parts[1:], strict=True)))
        case Call(name):
            return Call(name, parts)
        case Macro(name, _, variable):
            return Macro(name, parts[0], variable, parts[1:])


def walk(node: Node) -> Iterator[Node]:
    """This node and all below it, without recursion."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(reversed(children(current)))


def size(node: Node) -> int:
    """How many nodes the tree has: the measure of what one evaluation of it costs."""
    return sum(1 for _ in walk(node))


def free_roots(node: Node) -> frozenset[str]:
    """The roots that the node reads, without variables that macros inside it bind."""
    match node:
        case Path(root):
            return frozenset({root})
        case Macro(_, source, variable, body):
            inner = frozenset[str]().union(*(free_roots(part) for part in body))
            return free_roots(source) | (inner - {variable})
        case _:
            return frozenset[str]().union(*(free_roots(part) for part in children(node)))
