"""`make soak`: what the suite tries with a few random inputs, with very many new ones.

Properties of expressions and matching: hundreds of thousands of conditions and events. A failure is printed with its
inputs, made as small as they get, and kept in .hypothesis, so that the next run begins with it.

Message faults: thousands of seeds. Each plays scenarios of tests/faults while messages come twice, late, in another
order or again, calls fail, processes die, clocks differ and schedules are missed; at rest, the invariants of
tests/faults/storms/invariants.py must hold. A failure is printed with the command that plays it again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

import pytest

from tests.faults.scenarios import SCENARIOS
from tests.faults.storms.seeds import Seed, drawn
from tests.soak import messages

# Some ten minutes each on two cores.
_ROUNDS = 30
_SEEDS = 3_000


def main(arguments: list[str]) -> int:
    """Run the soak; the exit code."""
    parser = argparse.ArgumentParser(
        prog="make soak", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", choices=["properties", "messages"], help="only one of the two")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2, help="processes (one for each core)")
    of_properties = parser.add_argument_group("properties")
    of_properties.add_argument("--rounds", type=int, default=_ROUNDS, help=f"how often each is run ({_ROUNDS})")
    of_properties.add_argument("-k", metavar="NAME", default="", help="only those whose name has this in it")
    of_messages = parser.add_argument_group("message faults")
    of_messages.add_argument("--seeds", type=int, default=_SEEDS, help=f"how many ({_SEEDS})")
    of_messages.add_argument("--first", type=int, help="the first seed (by the clock: new ones each time)")
    of_messages.add_argument("--seed", type=int, help="play this one alone, and show what was done")
    named: Any = {"action": "append", "choices": list(SCENARIOS), "metavar": "NAME"}
    of_messages.add_argument("--scenario", help="with --seed: play this, as a failure says", **named)
    of_messages.add_argument("--rough", action="store_true", help="with --scenario: disturb it roughly")
    given = parser.parse_args(arguments)
    if given.rounds < 1 or given.seeds < 1:
        parser.error("--rounds and --seeds must be at least 1")
    if given.scenario and given.seed is None:
        parser.error("--scenario needs --seed")
    if given.seed is not None:
        return messages.replay(_seed(given.seed, given.scenario, is_rough=given.rough))
    code = 0
    if given.only != "messages":
        code = _properties(given.rounds, given.k, given.workers)
    if given.only != "properties" and not given.k:
        first = int(time.time()) if given.first is None else given.first
        code = messages.soak(first, given.seeds, given.workers) or code
    return code


def _seed(number: int, scenarios: list[str] | None, *, is_rough: bool) -> Seed:
    return drawn(number) if scenarios is None else Seed(number, tuple(scenarios), is_rough or len(scenarios) > 1)


def _properties(rounds: int, name: str, workers: int) -> int:
    options = ["-q", "-p", "tests.soak.plugin", "-m", "soak", "-k", name, "-n", str(workers), "--dist", "worksteal"]
    options += ["--hypothesis-profile", "soak", "--soak-rounds", str(rounds), "--maxfail", "1"]
    return int(pytest.main([*options, "tests/unit"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
