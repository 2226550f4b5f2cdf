"""From the parser's tree to our own: checks names, arguments and limits, and says where a mistake stands."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NoReturn

from chalicelib.core.errors import InvalidExpression

from .limits import Limits
from .names import FUNCTIONS, MACROS, RESERVED, explain_function, explain_name, shortened
from .patterns import compile_pattern
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
from .tokens import invalid

_THROUGH = frozenset(
    {
        "expr",
        "conditionalor",
        "conditionaland",
        "relation",
        "addition",
        "multiplication",
        "unary",
        "member",
        "primary",
        "paren_expr",
    }
)
_RELATIONS = {
    "relation_lt": "<",
    "relation_le": "<=",
    "relation_gt": ">",
    "relation_ge": ">=",
    "relation_eq": "==",
    "relation_ne": "!=",
    "relation_in": "in",
}
_ARITHMETIC = {
    "addition_add": "+",
    "addition_sub": "-",
    "multiplication_mul": "*",
    "multiplication_div": "/",
    "multiplication_mod": "%",
}


def build(tree: Any, text: str, roots: frozenset[str], limits: Limits) -> Node:
    """Return the syntax tree of lark's tree of `text`; raises InvalidExpression."""
    return _Builder(text, roots, limits).node(tree)


class _Builder:
    def __init__(self, text: str, roots: frozenset[str], limits: Limits) -> None:
        self.text = text
        self.roots = roots
        self.limits = limits
        self.variables: list[str] = []
        self.depth = 0
        self.terms = 0
        self.handlers: dict[str, Callable[[Any], Node]] = {
            "expr": self._conditional,
            "conditionalor": lambda tree: Or(self._flat(tree)),
            "conditionaland": lambda tree: And(self._flat(tree)),
            "relation": self._relation,
            "addition": self._arithmetic,
            "multiplication": self._arithmetic,
            "unary": self._unary,
            "member_dot": self._field,
            "member_index": self._index,
            "member_dot_arg": self._method,
            "ident": self._identifier,
            "ident_arg": self._function,
            "list_lit": self._list,
            "literal": self._literal,
            "map_lit": lambda tree: self._fail(tree, "map literals are not supported"),
            "member_object": lambda tree: self._fail(tree, "objects cannot be made in an expression"),
            "dot_ident": lambda tree: self._fail(tree, "a name does not begin with a dot"),
            "dot_ident_arg": lambda tree: self._fail(tree, "a name does not begin with a dot"),
        }

    def node(self, tree: Any) -> Node:
        """The node of one subtree; the grammar's levels that add nothing are passed in a loop, not by
        recursion."""
        while len(tree.children) == 1 and tree.data in _THROUGH:
            tree = tree.children[0]
        self.depth += 1
        if self.depth > self.limits.depth:
            self._fail(tree, f"operators and calls are nested deeper than the limit of {self.limits.depth}")
        made = self.handlers[tree.data](tree)
        self._count(tree, 1)
        self.depth -= 1
        return made

    def _count(self, tree: Any, terms: int) -> None:
        self.terms += terms
        if self.terms > self.limits.terms:
            self._fail(tree, f"the expression has more terms than the limit of {self.limits.terms}")

    def _error(self, tree: Any, message: str) -> InvalidExpression:
        return invalid(self.text, message, _offset(tree))

    def _fail(self, tree: Any, message: str) -> NoReturn:
        raise self._error(tree, message)

    # Operators

    def _conditional(self, tree: Any) -> Node:
        test, then, otherwise = (self.node(part) for part in tree.children)
        return Conditional(test, then, otherwise)

    def _flat(self, tree: Any) -> tuple[Node, ...]:
        """The items of a chain of && or ||, which the grammar nests to the left, without recursion."""
        kind = tree.data
        parts: list[Any] = []
        while tree.data == kind and len(tree.children) == 2:
            tree, last = tree.children
            parts.append(last)
        return tuple(self.node(part) for part in [tree, *reversed(parts)])

    def _relation(self, tree: Any) -> Node:
        head, right = tree.children
        return Compare(_RELATIONS[head.data], self.node(head.children[0]), self.node(right))

    def _arithmetic(self, tree: Any) -> Node:
        kind = tree.data
        chain: list[tuple[str, Any]] = []
        while tree.data == kind and len(tree.children) == 2:
            head, operand = tree.children
            chain.append((_ARITHMETIC[head.data], operand))
            tree = head.children[0]
        first = self.node(tree)
        rest = tuple((operator, self.node(operand)) for operator, operand in reversed(chain))
        return Arithmetic(first, rest)

    def _unary(self, tree: Any) -> Node:
        sign, rest = tree.children
        operand = self.node(rest)
        if sign.data == "unary_not":
            return Not(operand)
        if isinstance(operand, Const) and type(operand.value) in (int, float):
            return Const(-operand.value)
        return Negate(operand)

    # Values

    def _literal(self, tree: Any) -> Node:
        token = tree.children[0]
        if token.type == "STRING_LIT":
            return Const(str(token))
        if token.type == "INT_LIT":
            return Const(self._integer(tree, token))
        if token.type == "FLOAT_LIT":
            value = float(token)
            if not math.isfinite(value):
                self._fail(tree, f"{shortened(token)} is larger than a number may be")
            return Const(value)
        return Const({"true": True, "false": False, "null": None}[token])

    def _integer(self, tree: Any, token: str) -> int:
        try:
            return int(token, 16) if token[:2] in ("0x", "0X") else int(token)
        except ValueError:  # Python refuses to read more than 4,300 decimal digits.
            self._fail(tree, f"{shortened(token)} is larger than a number may be")

    def _list(self, tree: Any) -> Node:
        items = self._arguments(tree.children)
        if len(items) > self.limits.list_items:
            self._fail(tree, f"the list has {len(items)} elements; the limit is {self.limits.list_items}")
        return ListOf(tuple(self.node(item) for item in items))

    def _identifier(self, tree: Any) -> Node:
        name = str(tree.children[0])
        if name not in self.roots and name not in self.variables:
            known = (*sorted(self.roots), *self.variables)
            raise self._error(tree, explain_name(name, known, self.text, _offset(tree)))
        return Path(name, ())

    def _field(self, tree: Any) -> Node:
        return self._step(tree, lambda operand: _extended(operand, str(tree.children[1])))

    def _index(self, tree: Any) -> Node:
        def select(operand: Node) -> Node:
            key = self.node(tree.children[1])
            return _extended(operand, key.value) if isinstance(key, Const) else Index(operand, key)

        return self._step(tree, select)

    def _step(self, tree: Any, select: Callable[[Node], Node]) -> Node:
        """A step of a path; a plain path is walked in a loop, since it may have more steps than Python has
        frames."""
        chain = [tree]
        below = _inner(tree.children[0])
        while below.data == "member_dot":
            chain.append(below)
            below = _inner(below.children[0])
        operand = self.node(below)
        for step in reversed(chain[1:]):
            operand = _extended(operand, str(step.children[1]))
        self._count(tree, len(chain) - 1)
        return select(operand)

    # Calls

    def _arguments(self, trees: list[Any]) -> list[Any]:
        return list(trees[0].children) if trees else []

    def _function(self, tree: Any) -> Node:
        name, arguments = str(tree.children[0]), self._arguments(tree.children[1:])
        if name == "has":
            return self._has(tree, arguments)
        return self._call(tree.children[0], arguments)

    def _method(self, tree: Any) -> Node:
        receiver, token = tree.children[:2]
        name, arguments = str(token), self._arguments(tree.children[2:])
        if name in MACROS:
            return self._macro(token, receiver, arguments)
        return self._call(token, [receiver, *arguments])

    def _call(self, token: Any, arguments: list[Any]) -> Node:
        name = str(token)
        signature = FUNCTIONS.get(name)
        if signature is None:
            raise self._error(token, explain_function(name))
        if len(arguments) != signature.arguments:
            self._fail(token, f"{name} is written {signature.usage}")
        nodes = tuple(self.node(argument) for argument in arguments)
        if name == "matches":
            self._pattern(arguments[1], nodes[1])
        return Call(name, nodes)

    def _pattern(self, tree: Any, node: Node) -> None:
        if not isinstance(node, Const) or not isinstance(node.value, str):
            self._fail(tree, "the pattern of matches must be a string literal")
        if (size := len(node.value.encode())) > self.limits.pattern_bytes:
            self._fail(tree, f"the pattern has {size} bytes; the limit is {self.limits.pattern_bytes} bytes")
        try:
            compile_pattern(node.value)
        except ValueError as error:
            self._fail(tree, f"the pattern cannot be used: {error}")

    def _has(self, tree: Any, arguments: list[Any]) -> Node:
        operand = self.node(arguments[0]) if len(arguments) == 1 else None
        if isinstance(operand, Path) and operand.keys:
            return Has(Path(operand.root, operand.keys[:-1]), Const(operand.keys[-1]))
        if isinstance(operand, Index):
            return Has(operand.operand, operand.key)
        return self._fail(tree, "has is written has(event.data.field)")

    def _macro(self, token: Any, receiver: Any, arguments: list[Any]) -> Node:
        name = str(token)
        if len(arguments) not in MACROS[name].arguments:
            self._fail(token, f"{name} is written {MACROS[name].usage}")
        source = self.node(receiver)
        variable = self._variable(name, arguments[0])
        self.variables.append(variable)
        if len(self.variables) > self.limits.macros:
            self._fail(token, f"{name} is nested deeper than the limit of {self.limits.macros} macros")
        body = tuple(self.node(argument) for argument in arguments[1:])
        self.variables.pop()
        return Macro(name, source, variable, body)

    def _variable(self, macro: str, tree: Any) -> str:
        inner = _inner(tree)
        if inner.data != "ident":
            self._fail(tree, f"{macro} is written {MACROS[macro].usage}: its first argument is a new name")
        name = str(inner.children[0])
        if name in self.roots or name in self.variables or name in RESERVED:
            self._fail(tree, f"the name '{name}' is taken; choose another one for the elements")
        return name


def _extended(operand: Node, key: Any) -> Node:
    """The operand's field or element; a step known from the text makes a path longer."""
    if isinstance(key, float) and key.is_integer():
        key = int(key)
    if isinstance(operand, Path) and type(key) in (str, int):
        return Path(operand.root, (*operand.keys, key))
    return Index(operand, Const(key))


def _inner(tree: Any) -> Any:
    while len(tree.children) == 1 and tree.data in _THROUGH:
        tree = tree.children[0]
    return tree


def _offset(tree: Any) -> int:
    """Where a subtree or a token begins."""
    return int(getattr(getattr(tree, "meta", tree), "start_pos", 0))
