"""`make bench-scale`: where AWS's limits bite at 10, 1,000 and 100,000 events a second, and what a month costs there.

Nothing is measured here. What one event asks for is read from docs/COST.md, where `make bench-cost` measured it; what
falls on which key is what `make bench-engine` prints; limits and prices are those of the pages that docs/SCALE.md
names. The tables of docs/SCALE.md are what this prints (tests/infra/test_scale.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from chalicelib.aws.keys import EVENT_SHARDS, LIST_SHARDS
from chalicelib.core import timers
from chalicelib.core.matching import SCAN_SHARDS
from chalicelib.engine.collect import OPEN_SHARDS
from infra.local.settings import PROJECT
from tests.bench.cost import (
    API_REQUEST,
    API_S,
    EVENT_S,
    GB_SECOND,
    LAMBDA_REQUEST,
    MINUTES_OF_A_MONTH,
    READ_UNIT,
    SQS_REQUEST,
    STEP_S,
    TURN_S,
    WRITE_UNIT,
)
from tests.bench.engine import say

RATES: Final = (10, 1_000, 100_000)
MONTH_S: Final = MINUTES_OF_A_MONTH * 60
STEPS: Final = 10
BATCH: Final = 10

# Units a second that one partition gives, and the default quotas; pages and dates are in docs/SCALE.md.
PARTITION_WRITES, PARTITION_READS = 1_000, 3_000
TABLE_UNITS: Final = 40_000
CONCURRENCY: Final = 1_000
MAPPING_CONCURRENCY: Final = 1_250
IN_FLIGHT: Final = 120_000
GATEWAY_REQUESTS: Final = 10_000

# US dollars, us-east-1. A GB-month of a table with its backup; of others what docs/SCALE.md says of them.
STORED_GB: Final = 0.45
RUN_KB: Final = 12.5
TRANSITION, EXPRESS_REQUEST, EXPRESS_GB_SECOND = 25.0, 1.0, 0.00001667
DURABLE_OPERATION, DURABLE_GB_WRITTEN, DURABLE_GB_MONTH = 8.0, 0.25, 0.15
DURABLE_KB: Final = 6
DURABLE_DAYS: Final = 14
STEP_GB: Final = 0.5


@dataclass(frozen=True)
class Story:
    """What one event of a kind asks for, all in all."""

    name: str
    writes: int
    reads: int
    sqs: int
    invocations: int
    dollars: float
    """For a million."""


def stories() -> dict[str, Story]:
    """Those that docs/COST.md has, by name."""
    text = (PROJECT / "docs" / "COST.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| ([\d.]+) \|$", text, re.M)
    found = [Story(name, int(w), int(r), int(q), int(i), float(usd)) for name, w, r, q, i, usd in rows]
    return {story.name: story for story in found}


RUN: Final = "a run of ten steps, with its event"


@dataclass(frozen=True)
class Key:
    """A kind of partition key: into how many shards it is split, and what falls on all of them together for each event
    (or run, or start) that has it."""

    table: str
    what: str
    one: str
    """Of which there is one set of shards: the whole stage, an event's name, a function, …"""
    shards: int
    writes: float
    reads: float

    @property
    def most(self) -> int:
        """How many a second the shards bear, if they are spread evenly."""
        limits = []
        if self.writes:
            limits.append(PARTITION_WRITES * self.shards / self.writes)
        if self.reads:
            limits.append(PARTITION_READS * self.shards / self.reads)
        return int(min(limits))

    def shards_for(self, rate: int) -> int:
        """How many shards it would take."""
        return ceil(rate * self.shards / self.most)


# A run of steps writes to the runs table: copy of the event, head, lease, steps, end, settled; to its indexes: three.
RUNS_WRITES: Final = 5 + STEPS
INDEX_WRITES: Final = 3
EVENTS_WRITES: Final = 2

KEYS: Final = (
    Key("pauses", "shapes of `inngest/function.finished`", "stage", 1, 0, 1),
    Key("runs, index `open`", "runs that are not settled", "stage", OPEN_SHARDS, 2, 0),
    Key("events", "records of `inngest/function.finished`", "stage", EVENT_SHARDS, 1, 0),
    Key("functions", f"`registry`, where messages come {BATCH} at a time", "stage", 1, 0, 2 / BATCH),
    Key("functions", "`registry`, where they come one by one", "stage", 1, 0, 2),
    Key("runs, index `by_function`", "the list of a function's runs", "function", LIST_SHARDS, 1, 0),
    Key("pauses", "shapes of an event's name", "event name", 1, 0, 1),
    Key("events", "records of an event's name", "event name", EVENT_SHARDS, 1, 0),
    Key("pauses", "waits whose condition has no equality: put, removed", "event name", SCAN_SHARDS, 3, 0),
    Key("timers", "timers that are due in one hour: put, removed", "hour", timers.SHARDS, 2, 0),
    Key("limits", "places of a concurrency limit: taken, given back", "limit and value of its key", 1, 2, 4),
    Key("limits", "cell of a rate limit, throttle, debounce or batch", "function and value of its key", 1, 1, 1),
    Key("pauses", "waits that share a condition and all of its values", "value", 1, 3, 1),
    Key("runs", "a run with its steps", "run", 1, RUNS_WRITES, STEPS + 2),
)


def of_stage() -> list[Key]:
    """Keys that everything goes through, hottest first; with batches."""
    whole = [key for key in KEYS if key.one == "stage" and "one by one" not in key.what]
    return sorted(whole, key=lambda key: key.most)


@dataclass(frozen=True)
class Demand:
    """Something that is asked for once or oftener for each event, and how much of it there is a second by default."""

    what: str
    each: float
    limit: float
    unit: str = ""

    def cell(self, rate: int) -> str:
        needed = self.each * rate
        share = needed / self.limit
        mark = f"**{share:,.1f} ×**" if share > 1 else f"{share:.0%}" if share >= 0.01 else "< 1%"
        return f"{needed:,.0f} ({mark})"


def demands() -> list[Demand]:
    """Of a run of ten steps for each event."""
    run = stories()[RUN]
    assert run.writes == EVENTS_WRITES + RUNS_WRITES + INDEX_WRITES, "docs/COST.md and the keys here differ"
    turn_s = TURN_S + STEPS * STEP_S
    lambda_s = API_S + 2 * EVENT_S + turn_s
    hottest = of_stage()[0]
    return [
        Demand("API Gateway: requests of one event each", 1, GATEWAY_REQUESTS),
        Demand("API Gateway: requests of 100 events each", 0.01, GATEWAY_REQUESTS),
        Demand(f"Lambda: executions at once ({lambda_s:.2f} s in all)", lambda_s, CONCURRENCY),
        Demand(f"SQS to `on_work`: executions at once ({turn_s:.2f} s)", turn_s, MAPPING_CONCURRENCY),
        Demand(f"SQS to `on_event`, {BATCH} at a time (2 × {EVENT_S} s)", 2 * EVENT_S / BATCH, MAPPING_CONCURRENCY),
        Demand("SQS: work in flight", turn_s, IN_FLIGHT),
        Demand("DynamoDB, runs: write units", RUNS_WRITES, TABLE_UNITS),
        Demand("DynamoDB, runs: read units", run.reads - 4, TABLE_UNITS),
        Demand("DynamoDB, events: write units", EVENTS_WRITES, TABLE_UNITS),
        Demand(f"DynamoDB, the hottest key of a stage ({hottest.what})", 1, hottest.most),
    ]


def limits_table() -> list[str]:
    lines = row(["asked for in a second", "there is", *(f"{rate:,} events a second" for rate in RATES)], head=True)
    for demand in demands():
        lines += row([demand.what, f"{demand.limit:,.0f}", *(demand.cell(rate) for rate in RATES)])
    return lines


def keys_table() -> list[str]:
    head = ["table", "key", "one for each", "shards", "write u.", "read u.", "bears a second", "shards for 100,000"]
    lines = row(head, head=True)
    for key in KEYS:
        figures = [f"{key.shards}", f"{key.writes:g}", f"{key.reads:g}", f"{key.most:,}"]
        needed = "–" if key.one in ("run", "value") else f"{key.shards_for(RATES[-1]):,}"
        lines += row([key.table, key.what, key.one, *figures, needed])
    return lines


def own_price() -> dict[str, float]:
    """Dollars for a million runs of ten steps, in parts."""
    run = stories()[RUN]
    dynamodb = run.writes * WRITE_UNIT + run.reads * READ_UNIT
    sqs = run.sqs * SQS_REQUEST
    compute = run.dollars - dynamodb - sqs - API_REQUEST
    return {
        "DynamoDB": dynamodb,
        "SQS": sqs,
        "Lambda": compute,
        "API Gateway": API_REQUEST,
        "records, kept for 30 days": RUN_KB * STORED_GB,
    }


def others() -> dict[str, float]:
    """Dollars for a million runs of ten steps, each step's own time and the request that starts it included."""
    request = API_REQUEST
    work = STEPS * (LAMBDA_REQUEST + STEP_S * STEP_GB * GB_SECOND * 1e6)
    express_s = ceil(STEPS * STEP_S * 10) / 10
    one_invocation = LAMBDA_REQUEST + (TURN_S + STEPS * STEP_S) * STEP_GB * GB_SECOND * 1e6
    kept = DURABLE_KB * DURABLE_GB_MONTH * DURABLE_DAYS * 24 * 60 / MINUTES_OF_A_MONTH
    return {
        "Step Functions Standard": request + work + STEPS * TRANSITION,
        "Step Functions Express": request + work + EXPRESS_REQUEST + express_s * 64 / 1024 * EXPRESS_GB_SECOND * 1e6,
        "Lambda durable functions": (
            request + one_invocation + (STEPS + 1) * DURABLE_OPERATION + DURABLE_KB * DURABLE_GB_WRITTEN + kept
        ),
    }


def price_table() -> list[str]:
    lines = row(["$ a month", "a million runs", *(f"{rate:,} a second" for rate in RATES)], head=True)
    own = own_price()
    for name, dollars in {**own, "**Stepwell, in all**": sum(own.values()), **others()}.items():
        lines += row([name, f"{dollars:,.2f}", *(f"{dollars * rate * MONTH_S / 1e6:,.0f}" for rate in RATES)])
    return lines


def cells_table() -> list[str]:
    """How many stages side by side it takes."""
    lines = row(["what bounds one stage", "runs of ten steps a second", "stages for 100,000"], head=True)
    turn_s = TURN_S + STEPS * STEP_S
    bounds = [(f"{key.table}: {key.what}", key.most) for key in of_stage()]
    bounds += [
        (f"`on_work`: {MAPPING_CONCURRENCY:,} executions of {turn_s:.2f} s", int(MAPPING_CONCURRENCY / turn_s)),
        (f"write units of the runs table: {TABLE_UNITS:,}", TABLE_UNITS // RUNS_WRITES),
    ]
    for what, most in sorted(bounds, key=lambda bound: bound[1]):
        lines += row([what, f"{most:,}", f"{ceil(RATES[-1] / most)}"])
    return lines


def row(cells: Sequence[str], head: bool = False) -> list[str]:
    """A line of a table; with the line below, if it is the head."""
    text = [f"| {' | '.join(cells)} |"]
    return [*text, "|" + "---|" * len(cells)] if head else text


def tables() -> Iterable[tuple[str, list[str]]]:
    """All that docs/SCALE.md has, with what it is."""
    yield "Where limits bite: a run of ten steps for each event", limits_table()
    yield "Keys: what falls on each, and what it bears", keys_table()
    yield "Stages side by side", cells_table()
    yield "What a month costs", price_table()


def main() -> None:
    for title, lines in tables():
        say(f"\n{title}\n\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
