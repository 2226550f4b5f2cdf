"""What a drill must have shown."""

from __future__ import annotations

from dataclasses import dataclass

from tests.drill import orders
from tests.drill.costs import Costs
from tests.drill.letters import Letters
from tests.drill.story import MISTAKE, Outcome
from tests.drill.without import DEFENCES, Column


@dataclass(frozen=True)
class Promise:
    """A sentence, and whether it held."""

    text: str
    held: bool


def of_story(found: Outcome) -> list[Promise]:
    """Of the incident itself."""
    names = orders.names(found.size.runs)
    broken = [name for name in names if orders.kind_of(name) is not None]
    started = len(names) + 3 * found.size.probes
    told = sum(count for count, _ in found.reasons.values())
    # Charged and shipped, but for those whose wait failed or whose order was cancelled.
    unshipped = sum(orders.kind_of(name) is not None or orders.is_cancelled(name) for name in names)
    return [
        Promise("no message came back because of a user's mistake", found.nacks[MISTAKE] == 0),
        Promise("no step was executed twice", found.executed_twice == 0),
        Promise("every step was executed", found.executions == 2 * started - unshipped),
        Promise("the replay started no run", sum(found.statuses.values()) == started),
        Promise("the replay changed no run's end", not found.changed),
        Promise("every run ended as it should", not found.wrong),
        Promise("every broken condition is told on its run", told == len(broken)),
        Promise("nothing went to the dead letters", found.dead == 0),
        Promise("every event sent meanwhile resumed its run", all(found.latencies.values())),
        Promise("nothing was logged as an error", not found.errors),
    ]


def of_costs(found: Costs) -> list[Promise]:
    """Of finding runs: one read for the shapes, and one for each of the three."""
    return [Promise("an event costs a read per shape and one more", found.reads == 4)]


def of_letters(found: Letters) -> list[Promise]:
    """Of the dead letters."""
    return [
        Promise("a run whose message died is stalled and says so", bool(found.stalled)),
        Promise("the alarms' metric is above their threshold", all(count > 0 for count in found.alarm.values())),
        Promise("every letter is listed with its reason", all(row["reason"] for row in found.rows)),
        Promise("the redriven run came to its end", found.status == "Completed"),
        Promise("and no step of it was executed twice", found.twice == 0),
        Promise("no letter is left", found.left == 0),
    ]


def of_comparison(shipped: Column, columns: dict[str, Column]) -> list[Promise]:
    """As shipped everything holds, and without each defence something does not."""
    holds = [
        Promise("as shipped: no message came back but poison", set(shipped.nacks) <= {"poison"}),
        Promise("as shipped: no step was executed twice", shipped.executed_twice == 0),
        Promise("as shipped: every run ended as it should", shipped.as_expected == shipped.runs),
        Promise("as shipped: the queues came to rest", shipped.came_to_rest),
    ]
    missed = [
        Promise(f"without “{defence.name}” something breaks", defence.shows(columns[defence.name], shipped))
        for defence in DEFENCES
        if defence.name in columns
    ]
    return holds + missed
