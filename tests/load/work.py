"""What the load is made of: kinds of events, the functions that they start, and the marks that steps leave outside of
the platform."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.sdk import Context, Function, TriggerEvent, function

LIMIT = 4
NAP = "2s"
Mark = Callable[[str, int], object]
"""Note that a step with this name was executed for the event with this number."""


@dataclass(frozen=True)
class Kind:
    """A kind of load: the events of one, in order, and the steps that each must execute exactly once."""

    name: str
    events: tuple[str, ...]
    steps: tuple[str, ...]
    # The row of docs/COST.md that it is like, and write units that it takes beyond that.
    cost_row: str | None
    beyond: int = 0

    def sent(self, number: int) -> list[dict[str, Any]]:
        return [{"name": event, "data": {"n": number}} for event in self.events]


KINDS = (
    Kind("one step", ("load/plain",), ("plain",), "a run of one step, with its event"),
    Kind(
        "steps, and a wait between them",
        ("load/order", "load/paid"),
        ("charge", "ship"),
        "a run that waits for a second event, with both events",
        beyond=2,
    ),
    Kind(f"a sleep of {NAP}, then a step", ("load/nap",), ("awake",), None),
    # docs/FLOW.md: three units for a free place.
    Kind(f"one step, {LIMIT} at once", ("load/limited",), ("limited",), "a run of one step, with its event", beyond=3),
    Kind("starts nothing", ("load/nobody",), (), "an event that nothing waits for"),
)


def functions(mark: Mark) -> list[Function[Any]]:
    """The functions that the load starts."""

    def step(ctx: Context, name: str) -> None:
        ctx.step.run(name, mark, name, ctx.event.data["n"])

    @function(fn_id="load-plain", trigger=TriggerEvent(event="load/plain"))
    def plain(ctx: Context) -> None:
        step(ctx, "plain")

    @function(fn_id="load-order", trigger=TriggerEvent(event="load/order"))
    def order(ctx: Context) -> None:
        step(ctx, "charge")
        # The payment may come before the run waits for it.
        paid = ctx.step.wait_for_event(
            "paid", event="load/paid", if_exp="async.data.n == event.data.n", timeout="1h", lookback="run"
        )
        if paid is not None:
            step(ctx, "ship")

    @function(fn_id="load-nap", trigger=TriggerEvent(event="load/nap"))
    def nap(ctx: Context) -> None:
        ctx.step.sleep("nap", NAP)
        step(ctx, "awake")

    @function(fn_id="load-limited", trigger=TriggerEvent(event="load/limited"), concurrency=LIMIT)
    def limited(ctx: Context) -> None:
        step(ctx, "limited")

    return [plain, order, nap, limited]


@dataclass
class Sent:
    """How many of each kind were accepted; numbers go on from phase to phase."""

    counts: Counter[str]
    events: int = 0
    number: int = 0

    def next_batch(self, most: int) -> tuple[list[Kind], list[dict[str, Any]]]:
        """The next ones, one kind after the other, and their events: at most so many, if one is not more."""
        kinds: list[Kind] = []
        events: list[dict[str, Any]] = []
        while True:
            kind = KINDS[self.number % len(KINDS)]
            if events and len(events) + len(kind.events) > most:
                return kinds, events
            kinds.append(kind)
            events += kind.sent(self.number)
            self.number += 1

    def accepted(self, kinds: Iterable[Kind]) -> None:
        for kind in kinds:
            self.counts[kind.name] += 1
            self.events += len(kind.events)

    @property
    def steps(self) -> int:
        """How many steps must be executed."""
        return sum(self.counts[kind.name] * len(kind.steps) for kind in KINDS)

    @property
    def runs(self) -> int:
        """How many runs must end."""
        return sum(self.counts[kind.name] for kind in KINDS if kind.steps)


class Marks:
    """A file to which one process adds a line for each step that it executes: what is in it outlives the process."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __call__(self, step: str, number: int) -> None:
        os.write(self._file, f"{number} {step}\n".encode())


def executed(folder: Path) -> Counter[tuple[int, str]]:
    """How often each step was executed, whichever process did it."""
    found: Counter[tuple[int, str]] = Counter()
    for path in folder.glob("marks-*"):
        for line in path.read_text(encoding="utf-8").splitlines():
            number, step = line.split(" ")
            found[int(number), step] += 1
    return found


def wanted(upto: int) -> set[tuple[int, str]]:
    """The steps of all that was sent, up to a number."""
    return {(number, step) for number in range(upto) for step in KINDS[number % len(KINDS)].steps}
