"""From the syntax tree to closures: what an evaluation runs, a microsecond or so for a typical condition."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from .functions import FUNCTIONS, arithmetic, bounded_int
from .limits import CHARACTERS_PER_STEP
from .macros import compile_macro
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
    size,
)
from .times import Duration
from .values import (
    EvaluationError,
    Kind,
    Program,
    Scope,
    contained,
    element,
    kind,
    not_a_boolean,
    ordered,
    present,
    same,
)

_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PATTERN_COST = 8  # A pattern reads a text slower than a search for a plain part does.


def compile_program(node: Node) -> Program:
    """Return the closure that evaluates the node."""
    return _COMPILERS[type(node)](node)


def _path(root: str, keys: tuple[str | int, ...]) -> Program:
    if not all(isinstance(key, str) for key in keys):

        def read_any(scope: Scope) -> Any:
            value = scope.variables.get(root)
            for key in keys:
                value = element(value, key)
            return value

        return read_any

    def read(scope: Scope) -> Any:
        value = scope.variables.get(root)
        for key in keys:
            if not isinstance(value, dict):
                return None
            value = value.get(key)
        return value

    return read


def _list(items: tuple[Node, ...]) -> Program:
    parts = tuple(compile_program(item) for item in items)
    return lambda scope: [part(scope) for part in parts]


def _binary(function: Callable[[Any, Any], Any], left: Node, right: Node) -> Program:
    one, other = compile_program(left), compile_program(right)
    return lambda scope: function(one(scope), other(scope))


def _not(operand: Node) -> Program:
    run = compile_program(operand)

    def negated(scope: Scope) -> bool:
        value = run(scope)
        if value is True or value is False:
            return not value
        raise not_a_boolean("!", value)

    return negated


def _negate(operand: Node) -> Program:
    run = compile_program(operand)

    def negative(scope: Scope) -> Any:
        value = run(scope)
        match kind(value):
            case Kind.NUMBER:
                return bounded_int(-value) if isinstance(value, int) else -value
            case Kind.DURATION:
                return Duration(-value.nanoseconds)
        raise EvaluationError(f"- needs a number, not {kind(value).value}")

    return negative


def _logical(items: tuple[Node, ...], decisive: bool) -> Program:
    """&& (decided by false) or || (decided by true): the decisive value wins over an error, wherever either
    stands."""
    parts = tuple(compile_program(item) for item in items)
    name = "||" if decisive else "&&"
    otherwise = not decisive

    def run(scope: Scope) -> bool:
        failure: EvaluationError | None = None
        for part in parts:
            try:
                value = part(scope)
            except EvaluationError as error:
                failure = failure or error
                continue
            if value is decisive:
                return not otherwise
            if value is not otherwise:
                failure = failure or not_a_boolean(name, value)
        if failure is not None:
            raise failure
        return otherwise

    return run


def _compare(relation: str, left: Node, right: Node) -> Program:
    one, other = compile_program(left), compile_program(right)
    if relation == "==":
        return lambda scope: same(one(scope), other(scope), scope)
    if relation == "!=":
        return lambda scope: not same(one(scope), other(scope), scope)
    if relation == "in":
        return lambda scope: contained(one(scope), other(scope), scope)
    test = _ORDERINGS[relation]

    def run(scope: Scope) -> bool:
        first, second = one(scope), other(scope)
        return ordered(first, second, scope) and bool(test(first, second))

    return run


def _arithmetic(first: Node, rest: tuple[tuple[str, Node], ...]) -> Program:
    start = compile_program(first)
    chain = tuple((sign, compile_program(operand)) for sign, operand in rest)

    def run(scope: Scope) -> Any:
        total = start(scope)
        for sign, operand in chain:
            total = arithmetic(sign, total, operand(scope), scope)
        return total

    return run


def _conditional(test: Node, then: Node, otherwise: Node) -> Program:
    condition, if_true, if_false = (compile_program(part) for part in (test, then, otherwise))

    def run(scope: Scope) -> Any:
        value = condition(scope)
        if value is True:
            return if_true(scope)
        if value is False:
            return if_false(scope)
        raise not_a_boolean("? :", value)

    return run


def _call(name: str, arguments: tuple[Node, ...]) -> Program:
    if name == "matches":
        return _matches(*arguments)
    function = FUNCTIONS[name]
    parts = tuple(compile_program(argument) for argument in arguments)
    return lambda scope: function(scope, *[part(scope) for part in parts])


def _macro(node: Macro) -> Program:
    body = tuple(compile_program(part) for part in node.body)
    return compile_macro(
        node.name, compile_program(node.source), node.variable, body, sum(size(part) for part in node.body)
    )


def _matches(text: Node, pattern: Node) -> Program:
    assert isinstance(pattern, Const)  # The builder refuses everything else.
    found = compile_pattern(pattern.value)
    run = compile_program(text)

    def matches(scope: Scope) -> bool:
        value = run(scope)
        if kind(value) is not Kind.TEXT:
            raise EvaluationError(f"matches needs a string, not {kind(value).value}")
        scope.spend(len(value) * _PATTERN_COST // CHARACTERS_PER_STEP)
        return found(value)

    return matches


_COMPILERS: dict[type, Callable[[Any], Program]] = {
    Const: lambda node: lambda _: node.value,
    Path: lambda node: _path(node.root, node.keys),
    Index: lambda node: _binary(element, node.operand, node.key),
    Has: lambda node: _binary(present, node.operand, node.key),
    Not: lambda node: _not(node.operand),
    Negate: lambda node: _negate(node.operand),
    And: lambda node: _logical(node.items, decisive=False),
    Or: lambda node: _logical(node.items, decisive=True),
    Compare: lambda node: _compare(node.operator, node.left, node.right),
    Arithmetic: lambda node: _arithmetic(node.first, node.rest),
    Conditional: lambda node: _conditional(node.test, node.then, node.otherwise),
    Call: lambda node: _call(node.name, node.arguments),
    Macro: _macro,
    ListOf: lambda node: _list(node.items),
}
