"""Planning a wait: which rows it gets in the index, what remains to be evaluated, and what its author should
be told."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.core.expressions import compile_expression
from chalicelib.core.expressions.syntax import Const, Node, free_roots
from chalicelib.core.steps import PauseKey

from .alternatives import alternatives
from .caps import MAX_SHAPES, chosen
from .conditions import Condition, condition_holds, lift
from .folding import fold
from .hints import missing_paths
from .places import place
from .shapes import IndexRow, index_row

_ROOTS = frozenset({"event", "async"})


@dataclass(frozen=True, slots=True)
class WaitPlan:
    """How a wait is stored and found.

    Attributes: `rows`, the keys under which it lies, at most 8, none if it can never match; `condition`, what
    every candidate must meet, None if there is nothing to meet; `warnings`, texts for the run's timeline;
    `never`, whether no event can match.
    """

    rows: tuple[IndexRow, ...]
    condition: Condition | None
    warnings: tuple[str, ...] = ()
    never: bool = False

    def placed(self, run_id: str, name: str) -> Iterator[tuple[IndexRow, PauseKey]]:
        """Each row with where it lies for this run; `name` tells the wait from the run's others."""
        for number, row in enumerate(self.rows):
            yield row, place(row, self.condition, run_id, f"{name}#{number}")


def plan_wait(
    event_name: str,
    if_exp: str | None,
    event: Mapping[str, Any],
    registered: Collection[tuple[str, ...]] = (),
    *,
    max_shapes: int = MAX_SHAPES,
) -> WaitPlan:
    """Plan a wait for events of this name that meet `if_exp`, registered by a run that `event` started, where
    these shapes are registered for the name (as far as is known: being wrong about them costs time only).

    Whenever the condition is true of an incoming event, looking that event up by the shapes of `rows` finds
    at least one of them, and condition_holds then says true; it says false of every other event. Raises
    InvalidExpression.
    """
    if if_exp is None or not if_exp.strip():
        return WaitPlan((index_row(event_name, {}),), None)
    expression = compile_expression(if_exp, roots=_ROOTS)
    folded = fold(expression.node, {"event": event})
    warnings = missing_paths(expression.node, event)
    if not any(path[0] == "async" for path in expression.paths):
        warnings.append("the condition never looks at async, the incoming event, so it says the same of each")
    if isinstance(folded, Const) and folded.value is True:
        warnings.append("the condition is always true: any event of this name matches")
        return WaitPlan((index_row(event_name, {}),), None, tuple(warnings))
    found = alternatives(folded)
    if reason := _why_never(folded, found):
        warnings.append(f"the condition can never match: {reason}")
        return WaitPlan((), lift(Const(False)), tuple(warnings), never=True)
    keyed = chosen(found, registered, max_shapes)
    rows = {row.key: row for row in (index_row(event_name, equalities) for equalities in keyed)}
    return WaitPlan(tuple(rows.values()), lift(folded), tuple(warnings))


def _why_never(folded: Node, found: list[dict[str, Any]]) -> str:
    """Why no event can meet the folded condition; empty if one might."""
    if isinstance(folded, Const):
        return "it is always false" if folded.value is False else "it gives no boolean"
    if not free_roots(folded):
        return condition_holds(lift(folded), {}).error or "it gives no boolean"
    return "" if found else "it asks for values that exclude each other"
