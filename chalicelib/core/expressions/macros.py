"""Macros: what is evaluated for each element of a list, or each key of an object, each element at a price."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .values import EvaluationError, Kind, Program, Scope, kind, not_a_boolean

_Elements = Iterable[Any]
"""Binds the variable to one element after the other while it is gone through."""

_Loop = Callable[[Scope, _Elements], Any]


def compile_macro(name: str, source: Program, variable: str, body: tuple[Program, ...], cost: int) -> Program:
    """Return the closure of a macro; `cost` is what one element costs in steps: the size of the body."""
    loop = _LOOPS[name](name, body)

    def bound(elements: _Elements, scope: Scope) -> Iterator[Any]:
        for item in elements:
            scope.spend(cost)
            scope.variables[variable] = item
            yield item

    def run(scope: Scope) -> Any:
        value = source(scope)
        if kind(value) not in (Kind.LIST, Kind.MAP):
            raise EvaluationError(f"{name} needs a list, not {kind(value).value}")
        return loop(scope, bound(value, scope))

    return run


def _decide(name: str, body: tuple[Program, ...]) -> _Loop:
    """all and exists: && and || over the elements, with the same rules for errors."""
    test, decisive = body[0], name == "exists"
    otherwise = not decisive

    def run(scope: Scope, elements: _Elements) -> bool:
        failure: EvaluationError | None = None
        for _ in elements:
            try:
                value = test(scope)
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


def _holds(name: str, test: Program, scope: Scope) -> bool:
    value = test(scope)
    if value is True or value is False:
        return bool(value)
    raise not_a_boolean(name, value)


def _one(name: str, body: tuple[Program, ...]) -> _Loop:
    return lambda scope, elements: sum(_holds(name, body[0], scope) for _ in elements) == 1


def _filter(name: str, body: tuple[Program, ...]) -> _Loop:
    return lambda scope, elements: [item for item in elements if _holds(name, body[0], scope)]


def _map(name: str, body: tuple[Program, ...]) -> _Loop:
    if len(body) == 1:
        return lambda scope, elements: [body[0](scope) for _ in elements]
    return lambda scope, elements: [body[1](scope) for _ in elements if _holds(name, body[0], scope)]


_LOOPS = {"all": _decide, "exists": _decide, "exists_one": _one, "filter": _filter, "map": _map}
