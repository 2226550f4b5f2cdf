"""What a load has shown, in tables, and which promises it kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.bench.scale import stories
from tests.load.watch import Growth, Look, growth
from tests.load.work import KINDS, Sent
from tests.load.worker import Spent

# Whoever waits in line, looks back, or is told of news spends more than one alone; this is how much more is borne.
MOST_TIMES_ALONE = 1.5
_MOST_LINES = 24


@dataclass(frozen=True)
class Told:
    """All that was seen. `alone`: what one of each kind asks for by itself."""

    sent: Sent
    executed: Counter[tuple[int, str]]
    wanted: set[tuple[int, str]]
    looks: list[Look]
    spent: Spent
    alone: dict[str, Spent]
    completed: int
    not_completed: int
    dead_letters: int
    left: int
    errors: Counter[str]
    burst_s: float
    burst_events: int
    rate: int


@dataclass(frozen=True)
class Promise:
    """What must hold, and whether it does; `found` is what was seen of it."""

    text: str
    found: str
    held: bool


def steady(looks: Sequence[Look]) -> list[Look]:
    """Those of the steady stream without its first third: by then every cache is warm."""
    found = [look for look in looks if look.phase == "steady"]
    return found[len(found) // 3 :]


def growths(told: Told) -> list[Growth]:
    looks = steady(told.looks)
    return [growth(looks, worker) for worker in range(len(looks[0].resident_mb))] if looks else []


def promises(told: Told, most_growth_mb: float) -> Iterator[Promise]:
    lost = [one for one in told.wanted if not told.executed[one]]
    twice = [one for one, times in told.executed.items() if times > 1]
    stray = [one for one in told.executed if one not in told.wanted]
    yield Promise("every accepted event had its effects", f"{len(lost)} steps missing", not lost)
    yield Promise("no effect came twice", f"{len(twice)} steps executed twice", not twice and not stray)
    yield Promise(
        "every run ended well",
        f"{told.completed:,} of {told.sent.runs:,} Completed, {told.not_completed} otherwise",
        told.completed == told.sent.runs and not told.not_completed,
    )
    peak = max(look.backlog for look in told.looks)
    yield Promise(
        "the backlog rose, and drained", f"{peak:,} messages at most, {told.left} at the end", peak > 0 == told.left
    )
    yield Promise("nothing among the dead letters", f"{told.dead_letters}", not told.dead_letters)
    yield Promise("no error logged", f"{sum(told.errors.values())}", not told.errors)
    found = growths(told)
    largest = max((one.mb for one in found), default=0.0)
    yield Promise(
        f"memory of each worker flat: within {most_growth_mb:g} MB in the steady stream",
        f"{largest:+.1f} MB at most",
        bool(found) and largest <= most_growth_mb,
    )
    times = told.spent.writes / predicted(told).writes
    yield Promise(
        f"write units at most {MOST_TIMES_ALONE:g} times those of each alone",
        f"{times:.2f} times",
        times <= MOST_TIMES_ALONE,
    )


def predicted(told: Told) -> Spent:
    """What all that was sent would ask for, each alone."""
    total = Spent()
    for kind in KINDS:
        one, count = told.alone[kind.name], told.sent.counts[kind.name]
        total += Spent(
            one.writes * count, one.reads * count, one.dynamodb * count, one.sqs * count, one.delivered * count
        )
    return total


def backlog(told: Told) -> Iterator[str]:
    yield "What lay in the queues, and how large the workers were"
    yield ""
    columns = f"{'accepted':>9}{'executed':>9}{'to do':>8}{'in work':>8}{'delayed':>8}"
    yield f"{'s':>5}  {'phase':<8}{columns}  workers' memory (MB)"
    apart = max(1, -(-len(told.looks) // _MOST_LINES))
    for look in dict.fromkeys([*told.looks[::apart], told.looks[-1]]):
        sizes = " ".join(f"{size:6.1f}" for size in look.resident_mb)
        queues = f"{look.visible:>8,}{look.in_flight:>8,}{look.delayed:>8,}"
        yield f"{look.at_s:>5.0f}  {look.phase:<8}{look.accepted:>9,}{look.executed:>9,}{queues}  {sizes}"


def memory(told: Told) -> Iterator[str]:
    yield "Memory of each worker in the steady stream, after its first third"
    yield ""
    for number, one in enumerate(growths(told)):
        yield f"  worker {number}: {one.first_mb:.1f} MB, then {one.last_mb:.1f} MB; {one.mb_a_minute:+.2f} MB a minute"


def costs(told: Told) -> Iterator[str]:
    yield "What one asks for alone (measured before the load), and what docs/COST.md says"
    yield ""
    yield f"  {'':<34}{'write u.':>9}{'COST.md':>9}{'read u.':>9}{'DynamoDB':>10}{'SQS':>6}{'delivered':>11}"
    rows = stories()
    for kind in KINDS:
        one = told.alone[kind.name]
        documented = "–" if kind.cost_row is None else f"{rows[kind.cost_row].writes + kind.beyond}"
        asked = f"{one.dynamodb:>10}{one.sqs:>6}{one.delivered:>11}"
        figures = f"{one.writes:>9.1f}{documented:>9}{one.reads:>9.1f}{asked}"
        yield f"  {kind.name:<34}{figures}"
    yield ""
    yield f"What an event asked for under load (average of {told.sent.events:,}), beside that of the same ones alone"
    yield ""
    for name, found, alone in (
        ("write units", told.spent.writes, predicted(told).writes),
        ("read units", told.spent.reads, predicted(told).reads),
        ("requests to DynamoDB", told.spent.dynamodb, predicted(told).dynamodb),
        ("requests to SQS (ours)", told.spent.sqs, predicted(told).sqs),
        ("messages delivered", told.spent.delivered, predicted(told).delivered),
    ):
        each, was = found / told.sent.events, alone / told.sent.events
        yield f"  {name:<34}{each:>9.2f}{was:>9.2f}{each / was:>8.2f} ×"


def head(told: Told) -> Iterator[str]:
    yield (
        f"{told.sent.events:,} events accepted, {told.burst_events:,} of them in {told.burst_s:.1f} s "
        f"({told.burst_events / told.burst_s:,.0f} a second), then {told.rate} a second: "
        f"{told.sent.runs:,} runs, {told.sent.steps:,} steps"
    )


def verdicts(found: Sequence[Promise]) -> Iterator[str]:
    for promise in found:
        yield f"  {'held  ' if promise.held else 'BROKEN'}  {promise.text:<72}{promise.found}"
    yield ""
    yield f"{sum(promise.held for promise in found)} of {len(found)} promises held."
