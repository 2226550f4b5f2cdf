"""`make bench-match`: what an event costs that finds its run among many that wait, in CPU time and in reads.

The index is in memory and holds what the one in DynamoDB holds, and the platform's own code reads it; so the figures
are of matching alone, without the network. Beside them, in the same run, what the linear scan takes that the incident
was made of: each waiting run's condition a compiled program of its own, kept, and each tried on each event.

`ARGS=--json` prints one JSON object, `ARGS=--full` the whole grid (some minutes, some GB).
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any, Final

from chalicelib.core.events import Event
from chalicelib.core.matching import Shape, lookup_keys
from chalicelib.engine import candidates
from chalicelib.engine.index import Place
from tests.bench import waits
from tests.bench.engine import say
from tests.bench.waits import KINDS, Index, Kind

PROMISED_GROWTH: Final = 1.5
PROMISED_RATIO: Final = 10_000
RATIO_AT: Final = 250_000
_EVENTS: Final = 400
_EVENTS_THAT_SCAN: Final = 6
_WARM: Final = 100
_PAGE: Final = 50
_FEWEST: Final = 1_000
# How many shapes the runs have that are measured at every size.
_GROWN: Final = 5
_SCANNED: Final = (2_500, 10_000)


@dataclass(frozen=True)
class Figures:
    """One cell: times in microseconds of CPU per event."""

    kind: str
    indexable: bool
    waits: int
    shapes: int
    p50: float
    p99: float
    # Of the same, measured in turn with it, where the fewest wait.
    p50_of_few: float | None
    convert: float
    reads: float
    met: float
    megabytes: int


@dataclass(frozen=True)
class Scan:
    """The linear scan: seconds per event."""

    waits: int
    seconds: float
    measured: bool


def measure(index: Index, kind: Kind, size: int, shapes: int, few: Index | None = None) -> Figures:
    """Events for runs chosen by chance, each of which meets one; in turn with them, others meet runs in an index with
    `few` waits, so that what slows the machine for a while slows both."""
    wanted, warm = (_EVENTS, _WARM) if kind.indexable or kind.if_exp is None else (_EVENTS_THAT_SCAN, 1)
    chosen = random.Random(size)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        here, there = _Clocked(index), None if few is None else _Clocked(few)
        for count in range(warm + wanted):
            if count == warm:
                here.reset()
            here.meet(_event(kind, chosen.randrange(size), shapes))
            if there is not None:
                there.meet(_event(kind, chosen.randrange(len(there.index.by_key)), shapes))
    finally:
        gc.enable()
        gc.unfreeze()
    return Figures(
        kind=kind.name,
        indexable=kind.indexable,
        waits=size,
        shapes=shapes,
        p50=statistics.median(here.times),
        p99=statistics.quantiles(here.times, n=100, method="inclusive")[98],
        p50_of_few=None if there is None else statistics.median(there.times[warm:]),
        convert=statistics.median(here.converting),
        reads=index.reads / wanted,
        met=here.met / wanted,
        megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )


class _Clocked:
    """Matches events against an index, and takes the times (microseconds)."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self._services: Any = SimpleNamespace(
            pauses=index,
            settings=SimpleNamespace(match_page=_PAGE),
            metrics=SimpleNamespace(count=lambda *_: None),
        )
        self.reset()

    def reset(self) -> None:
        self.times: list[float] = []
        self.converting: list[float] = []
        self.met = self.index.reads = 0

    def meet(self, event: Event) -> None:
        began = time.thread_time_ns()
        event.payload()
        converted = time.thread_time_ns()
        self.met += _match(self._services, event)
        ended = time.thread_time_ns()
        self.converting.append((converted - began) / 1000)
        self.times.append((ended - converted) / 1000)


def _event(kind: Kind, number: int, shapes: int) -> Event:
    if kind.if_exp is None:
        return waits.answer(number, 1, 0, name=f"{waits.EVENT}.{number}")
    return waits.answer(number, shapes, number % shapes)


def _match(services: Any, event: Event) -> int:
    """As engine.match_pages does, message by message: the registered shapes, the keys, the pages under them. How many
    are met."""
    payload = event.payload()
    found = services.pauses.shapes(event.name)
    keys = dict.fromkeys(key for paths in found for key in lookup_keys(event.name, Shape.of(paths), payload))
    places, met = [Place(key) for key in keys], 0
    while places:
        batches = candidates.find(services, event, places, is_first=True)
        met += sum(len(batch.met) for batch in batches)
        places = [Place(batch.start.key, batch.following) for batch in batches if batch.following is not None]
    return met


def cells(full: bool) -> Iterator[Figures]:
    """The grid, or of it what tells the most: all sizes with five shapes, and what other numbers of shapes cost."""
    sizes = (_FEWEST, 10_000, 250_000, 1_000_000) if full else (_FEWEST, 250_000, 1_000_000)
    for kinds in waits.alike():
        for shapes in (1, 5, 20):
            at = sizes if full or shapes == _GROWN else sizes[:1]
            for index, few, kind, size in waits.keyed(kinds, shapes, at):
                yield measure(index, kind, size, shapes, few if size > _FEWEST else None)
    for kind in KINDS:
        if not kind.indexable:
            make = waits.unconditional if kind.if_exp is None else waits.unequal
            for index, size in make(kind, sizes if full else (_FEWEST, 50_000)):
                yield measure(index, kind, size, 1)


def scans(sizes: Sequence[int] = _SCANNED) -> Iterator[Scan]:
    """Each condition a program of the library's own, compiled once; each tried on an event that is converted once."""
    import celpy
    from celpy.adapter import json_to_cel

    environment = celpy.Environment(runner_class=celpy.CompiledRunner)
    programs: list[Any] = []
    event = waits.answer(7, 1, 0).payload()
    per_wait = 0.0
    # Programs stay: to look through them for garbage while more are made takes a third of the time.
    gc.disable()
    for size in sizes:
        while len(programs) < size:
            # `async` cannot be a name there.
            text = f"incoming.data.key_0 == 'customer-{len(programs):09d}' && incoming.data.plan == 'pro'"
            programs.append(environment.program(environment.compile(text)))
        seconds = min(_scan(programs, lambda: {"incoming": json_to_cel(event)}) for _ in range(2))
        per_wait = seconds / size
        yield Scan(size, seconds, measured=True)
    gc.enable()
    for size in (RATIO_AT, 1_000_000):
        yield Scan(size, per_wait * size, measured=False)


def _scan(programs: list[Any], convert: Callable[[], Any]) -> float:
    began = time.thread_time()
    variables = convert()
    matched = sum(bool(program.evaluate(variables)) for program in programs)
    took = time.thread_time() - began
    assert matched == 1, "one run waits for this event"
    return took


def growth(figures: list[Figures]) -> dict[str, float]:
    """By how much the median is larger with the most waits than with the fewest, measured in turn, for each indexable
    kind and number of shapes."""
    most = {(one.kind, one.shapes): one for one in figures if one.p50_of_few is not None and one.waits > _FEWEST}
    return {f"{name}, {shapes} shapes": one.p50 / (one.p50_of_few or 1) for (name, shapes), one in most.items()}


def print_cell(one: Figures) -> None:
    say(
        f"{one.kind:<36}{one.waits:>10,}{one.shapes:>8}{one.p50:>9.0f}{one.p99:>9.0f}{one.convert:>9.0f}"
        f"{one.reads:>8.1f}{one.met:>6.1f}{one.megabytes:>8,}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-match", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--full", action="store_true", help="the whole grid")
    options = parser.parse_args()
    began = time.monotonic()
    if not options.json:
        say("CPU per event in µs (conversion of the event apart), reads, runs met; memory of this process in MB")
        say(
            f"{'condition':<36}{'waits':>10}{'shapes':>8}{'p50':>9}{'p99':>9}{'convert':>9}{'reads':>8}{'met':>6}{'MB':>8}"
        )
    figures = []
    for one in cells(options.full):
        figures.append(one)
        if not options.json:
            print_cell(one)
    scanned = list(scans())
    at = [one.p50 for one in figures if one.waits == RATIO_AT and one.indexable]
    scan_at = next(one.seconds for one in scanned if one.waits == RATIO_AT)
    ratio = scan_at * 1e6 / max(at)
    grown = growth(figures)
    if options.json:
        say(
            json.dumps(
                {
                    "cells": [asdict(one) for one in figures],
                    "scans": [asdict(one) for one in scanned],
                    "growth": grown,
                    "ratio_at_250k": ratio,
                    "promised": {"growth_below": PROMISED_GROWTH, "ratio_above": PROMISED_RATIO},
                    "seconds": time.monotonic() - began,
                }
            )
        )
        return 0
    say("\nThe linear scan with a kept, compiled program of cel-python for each wait")
    for scan in scanned:
        how = "measured" if scan.measured else "extrapolated"
        say(f"{scan.waits:>12,} waits {scan.seconds:>10.2f} s an event   {how}")
    say()
    for name, times in grown.items():
        say(f"{name}: from the fewest waits to the most {times:.2f} ×   promised: less than {PROMISED_GROWTH} ×")
    faster = f"at {RATIO_AT:,} waits {ratio:,.0f} × faster than the scan (extrapolated)"
    say(f"{faster}   promised: over {PROMISED_RATIO:,} ×")
    say(f"({time.monotonic() - began:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
