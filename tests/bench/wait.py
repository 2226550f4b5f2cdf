"""`make bench-wait`: from an event to the step that it resumes, while more and more other runs wait.

On the emulator's DynamoDB, through the queue's handler, with what it takes of reads and write units. The other runs'
waits are put in directly; those that the measured events resume are registered by runs of their own. The emulator is
slower than DynamoDB; that it takes no longer among many waits than among few is what the figures are to show.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from chalicelib.engine import ingest
from chalicelib.sdk import Context, TriggerEvent, function
from infra.local import cloud
from infra.local.cloud import Cloud
from tests.bench import loading, scenario, waits
from tests.bench.dev import median_and_p95
from tests.bench.engine import say
from tests.bench.meter import Meter
from tests.bench.scenario import Bench
from tests.bench.waits import EVENT, KINDS

PROMISED_GROWTH: Final = 1.5
SIZES: Final = (1_000, 50_000, 250_000)
KIND: Final = KINDS[2]
SHAPES: Final = 5
_EVENTS: Final = 60
_WARM: Final = 10
# Far from the loaded runs' numbers.
_FIRST: Final = 500_000_000
RESUMPTION: Final = "transaction: effect (marker and audit), step"


@function(fn_id="bench-asks", trigger=TriggerEvent(event="bench/asked"))
def asks(ctx: Context) -> str:
    """Waits as the loaded runs do."""
    assert KIND.if_exp is not None
    found = ctx.step.wait_for_event(
        loading.STEP,
        event=EVENT,
        if_exp=KIND.if_exp.replace("{n}", str(ctx.event.data["shape"])),
        timeout=timedelta(milliseconds=loading.TIMEOUT_MS),
    )
    return "late" if found is None else "in time"


@dataclass
class Figures:
    """What events cost amid so many waits: milliseconds each, reads and write units in all."""

    waits: int
    times: list[float] = field(default_factory=list)
    purposes: Meter = field(default_factory=Meter)

    @property
    def reads(self) -> float:
        """For each event."""
        found = self.purposes
        return (found.requests("read") + found.requests("BatchGetItem") + found.requests("Scan")) / len(self.times)

    @property
    def writes(self) -> float:
        """Units for each event."""
        return self.purposes.total_writes() / len(self.times)


class Stage:
    """A platform with a function that waits, on an emulator."""

    def __init__(self, aws: Cloud) -> None:
        self.bench: Bench = scenario.start_with(aws, asks)
        self._endpoint = aws.endpoint
        self._loaded = 0
        self._next = _FIRST

    def load(self, upto: int) -> float:
        """Put in further waits until there are so many; the seconds it took."""
        began = time.perf_counter()
        loading.load(self.bench.platform, self._endpoint, KIND, SHAPES, range(self._loaded, upto))
        self._loaded = upto
        return time.perf_counter() - began

    def measure(self, events: int, warm: int = _WARM) -> Figures:
        """Each event resumes one run that has waited before."""
        numbers = range(self._next, self._next + warm + events)
        self._next = numbers.stop
        self.bench.meter.counting = False
        for number in numbers:
            self._send("bench/asked", {**waits.trigger(number)["data"], "shape": number % SHAPES})
        self.bench.pump.drain()
        found = Figures(self._loaded)
        for number in numbers:
            if number == numbers.start + warm:
                self.bench.meter.reset()
                found.times.clear()
            found.times.append(self._answer(number))
        found.purposes.lines.update(self.bench.meter.lines)
        return found

    def _answer(self, number: int) -> float:
        """The milliseconds until the step had ended in its record."""
        meter, pump = self.bench.meter, self.bench.pump
        self._send(EVENT, waits.answer(number, SHAPES, number % SHAPES).data)
        (record,) = pump.hold("events")
        meter.counting = True
        began = time.perf_counter()
        assert pump.deliver("events", [record])
        meter.counting = False
        took = meter.lines[RESUMPTION].answered_at - began
        assert took > 0, "the event resumed nobody"
        # The run goes on and ends, out of the next event's way.
        pump.drain()
        return took * 1000

    def _send(self, name: str, data: dict[str, Any]) -> None:
        platform = self.bench.platform
        accepted = ingest.accept(platform.services, platform.reception, {"name": name, "data": data})
        assert accepted.ids, accepted.refusals


def table(aws: Cloud, sizes: Sequence[int], events: int) -> Iterator[tuple[Figures, float]]:
    """At each size in turn, with the seconds that loading took."""
    stage = Stage(aws)
    for size in sizes:
        took = stage.load(size)
        yield stage.measure(events), took


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(one.replace("_", "")) for one in text.split(",")))


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-wait", description=__doc__)
    parser.add_argument("--sizes", type=_sizes, default=SIZES, help="numbers of waits, such as 1000,50000")
    parser.add_argument("--events", type=int, default=_EVENTS, help="how many events are measured at each size")
    options = parser.parse_args()
    began = time.monotonic()
    say(f"Waits for {EVENT}, {SHAPES} shapes of: {KIND.if_exp}")
    say("From an event's message at the handler to the step's end in its record (ms), requests and units per event")
    say(f"{'waits':>10}{'median':>10}{'p95':>10}{'reads':>10}{'write u.':>10}{'loaded in s':>14}")
    rows = []
    with cloud.start() as aws:
        for found, took in table(aws, options.sizes, options.events):
            median, p95 = median_and_p95(found.times)
            rows.append(found)
            say(f"{found.waits:>10,}{median:>10.1f}{p95:>10.1f}{found.reads:>10.1f}{found.writes:>10.1f}{took:>14.0f}")
    grown = statistics.median(rows[-1].times) / statistics.median(rows[0].times)
    say()
    say(f"from the fewest waits to the most {grown:.2f} ×   promised: at most {PROMISED_GROWTH} ×")
    say(f"({time.monotonic() - began:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
