"""`make bench-flow`: what flow control costs, and how soon many runs drain through a limit.

Costs are counted on ministack, as AWS would count them. Runs drain in memory, all workers in one process, where each
call to AWS takes as long as is said: that is what AWS adds to the time that our CPU takes. `--runs 0` prints the costs
alone; `--runs 10000` takes more than a quarter of an hour.
"""

from __future__ import annotations

import argparse
from typing import Any

from chalicelib.testing import cloud as memory_cloud
from chalicelib.testing import memory
from infra.local import cloud
from infra.local.cloud import Cloud
from tests.bench import flow_costs
from tests.bench.engine import say
from tests.bench.flow_costs import DATA_BYTES, Spent
from tests.bench.flow_drain import Drain, Drained

DEFAULT_RUNS, DEFAULT_WORK_MS, DEFAULT_LIMIT = 1_000, 1_000, 10
# What DynamoDB and SQS take within a region, roughly.
DEFAULT_CALL_MS = 5
_NAME, _CELL = 50, 17
_ABOUT_COSTS = f"""\
Beyond a start without flow control, and all of it as a multiple of that: a run of one step, event data of {DATA_BYTES}
bytes, from the event until nothing is left to do. Less than nothing: what did not start was spared.
"""
_ABOUT_COUNTS = """
Read units, and write units of a write whose condition fails: by AWS's rules, from what was read and was there.
SQS calls: the platform's. Besides, Lambda receives and deletes each message that it delivers.
Left out: a write unit a day and process for an event's name, and what a tick reads though nothing is due.
"""


def _print_costs(aws: Cloud) -> None:
    plain = flow_costs.plain(aws)
    say(_ABOUT_COSTS)
    say(_row("", "write units", "read units", "DynamoDB calls", "SQS calls", "delivered"))
    say(_row("a start without flow control", *(f"{value:g} {'':>8}" for value in _figures(plain))))
    for name, spent in flow_costs.stories(aws):
        cells = (_beyond(one, of) for one, of in zip(_figures(spent), _figures(plain), strict=True))
        say(_row(name, *cells) + (f"  and {spent.s3:g} of S3" if spent.s3 >= 1 else ""))
    say(_ABOUT_COUNTS)


def _figures(spent: Spent) -> tuple[float, ...]:
    return spent.writes, spent.reads, spent.dynamodb, spent.sqs, spent.delivered


def _beyond(spent: float, plain: float) -> str:
    beyond = round(spent - plain, 1)
    return f"{f'{beyond:+g}' if beyond else '0'} {f'({spent / plain:.2f}x)':>8}"


def _row(name: str, *cells: str) -> str:
    return f"{name:<{_NAME}}" + "".join(f"{cell:>{_CELL}}" for cell in cells)


def _print_drained(seen: Drained) -> None:
    # In the first quarter all others are put into the line, too.
    quarters = ", ".join(f"{took_s * 1000 / (seen.runs / 4):.0f}" for took_s in seen.quarters)
    empty_ms, call_ms = seen.empty_s * 1000, seen.call_s * 1000
    delivered, calls = seen.delivered / seen.runs, seen.calls / seen.runs
    say(f"{seen.runs:,} runs of a step of {seen.work_s * 1000:.0f} ms, limit {seen.limit}, {seen.workers} workers")
    say(f"  drained in         {seen.took_s:.1f} s; ideal {seen.ideal_s:.1f} s ({seen.took_s / seen.ideal_s:.2f}x)")
    say(f"  from end to end    {seen.run_s * 1000:.0f} ms; in each quarter of the runs {quarters}")
    say(f"  a place was empty  {empty_ms:.0f} ms between two runs; a call took {call_ms:.1f} ms, our part included")
    say(f"  at once            {seen.most_at_once} at most; {seen.executions:,} steps executed")
    say(f"  messages           {delivered:.2f} delivered a run: its first, the one that wakes it, and what is too much")
    say(f"                     {seen.left} were left after the last step")
    say(f"  a run asked for    {calls:.1f} calls, its event apart")


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.bench.flow", description=__doc__)
    # Ten thousand of such a length would take a quarter of an hour at best.
    parser.add_argument("--runs", type=int, default=DEFAULT_RUNS, help="how many drain (default %(default)s)")
    parser.add_argument(
        "--work-ms", type=int, default=DEFAULT_WORK_MS, help="how long a step takes (default %(default)s)"
    )
    parser.add_argument("--limit", type=int, default=DEFAULT_LIMIT, help="how many at once (default %(default)s)")
    parser.add_argument("--call-ms", type=int, default=DEFAULT_CALL_MS, help="and a call to AWS (default %(default)s)")
    parser.add_argument("--only-drain", action="store_true", help="leave out what the mechanisms cost")
    given: Any = parser.parse_args()
    if not given.only_drain:
        with cloud.start() as aws:
            _print_costs(aws)
    if not given.runs:
        return 0
    with memory.serving(memory_cloud.open_account()):
        drain = Drain(given.runs, given.limit, given.work_ms / 1000, given.call_ms / 1000)
        drain.fill()
        seen = drain.drain()
    _print_drained(seen)
    return 0 if seen.most_at_once <= seen.limit and seen.executions == seen.runs else 1


if __name__ == "__main__":
    raise SystemExit(main())
