"""From the syntax tree back to text, such that reading the text gives the same tree again."""

from __future__ import annotations

import json
import re
from typing import Any

from .names import METHODS
from .syntax import (
    And,
    Arithmetic,
    Call,
    Compare,
    Conditional,
    Const,
    Has,
    Index,
    ListOf,
    Macro,
    Negate,
    Node,
    Not,
    Or,
    Path,
)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# How tightly a node binds: what binds less than its place demands gets parentheses.
_TERNARY, _OR, _AND, _RELATION, _SUM, _PRODUCT, _UNARY, _MEMBER = range(8)


def render(node: Node) -> str:
    """Return the text of the node."""
    return _text(node, _TERNARY)


def render_path(root: str, keys: tuple[str | int, ...]) -> str:
    """Return the canonical text of a path: `async.data.items[0]["a b"]`."""
    return root + "".join(_step(key) for key in keys)


def storable(text: str) -> str:
    """The text with halves of surrogate pairs, which JSON may bring and UTF-8 has not, written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _step(key: str | int) -> str:
    if isinstance(key, str) and _NAME.fullmatch(key):
        return f".{key}"
    return f"[{_constant(key)}]"


def _constant(value: Any) -> str:
    # JSON's strings and numbers are literals here too; only halves of surrogate pairs are not, and no text
    # has them.
    return json.dumps(value, ensure_ascii=False)


def _text(node: Node, place: int) -> str:
    text, binds = _bare(node)
    return f"({text})" if binds < place else text


def _listed(nodes: tuple[Node, ...]) -> str:
    return ", ".join(_text(node, _TERNARY) for node in nodes)


def _bare(node: Node) -> tuple[str, int]:
    match node:
        case Const(value):
            negative = type(value) in (int, float) and value < 0
            return _constant(value), _UNARY if negative else _MEMBER
        case Path(root, keys):
            return render_path(root, keys), _MEMBER
        case Call() | Macro() | ListOf() | Index() | Has():
            return _member(node), _MEMBER
        case _:
            return _operator(node)


def _member(node: Call | Macro | ListOf | Index | Has) -> str:
    match node:
        case Call(name, arguments) if name in METHODS:
            return f"{_text(arguments[0], _MEMBER)}.{name}({_listed(arguments[1:])})"
        case Call(name, arguments):
            return f"{name}({_listed(arguments)})"
        case Macro(name, source, variable, body):
            return f"{_text(source, _MEMBER)}.{name}({variable}, {_listed(body)})"
        case ListOf(items):
            return f"[{_listed(items)}]"
        case Index():
            return _selection(node.operand, node.key)
        case Has():
            return f"has({_selection(node.operand, node.key)})"


def _selection(operand: Node, key: Node) -> str:
    if isinstance(key, Const) and type(key.value) in (str, int):
        return _text(operand, _MEMBER) + _step(key.value)
    return f"{_text(operand, _MEMBER)}[{_text(key, _TERNARY)}]"


def _operator(node: Node) -> tuple[str, int]:
    match node:
        case Not(operand):
            return f"!{_text(operand, _UNARY)}", _UNARY
        case Negate(operand):
            return f"-{_text(operand, _UNARY)}", _UNARY
        case And(items):
            return " && ".join(_text(item, _RELATION) for item in items), _AND
        case Or(items):
            return " || ".join(_text(item, _AND) for item in items), _OR
        case Compare(sign, left, right):
            return f"{_text(left, _RELATION)} {sign} {_text(right, _SUM)}", _RELATION
        case Arithmetic(first, rest):
            level = _SUM if rest[0][0] in "+-" else _PRODUCT
            tail = "".join(f" {sign} {_text(operand, level + 1)}" for sign, operand in rest)
            return _text(first, level + 1) + tail, level
        case Conditional(test, then, otherwise):
            parts = _text(test, _OR), _text(then, _OR), _text(otherwise, _TERNARY)
            return f"{parts[0]} ? {parts[1]} : {parts[2]}", _TERNARY
    raise TypeError(f"no text for {type(node).__name__}")
