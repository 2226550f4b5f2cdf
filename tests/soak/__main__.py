"""`make soak`: every property of expressions and matching, with hundreds of thousands of new random inputs.

A failure stops it. It is printed with the inputs, made as small as they get, and kept in .hypothesis, so that the next
run begins with it; once it is understood, it becomes a test of its own.
"""

from __future__ import annotations

import argparse
import sys

import pytest

# Some ten minutes on two cores.
_ROUNDS = 30


def main(arguments: list[str]) -> int:
    """Run the soak; the exit code."""
    parser = argparse.ArgumentParser(
        prog="make soak", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"how often each property is run ({_ROUNDS})")
    parser.add_argument("--workers", default="auto", help="processes (auto: one for each core)")
    parser.add_argument("-k", metavar="NAME", default="", help="only properties whose name has this in it")
    given = parser.parse_args(arguments)
    if given.rounds < 1:
        parser.error("--rounds must be at least 1")
    options = ["-q", "-p", "tests.soak.plugin", "-m", "soak", "-k", given.k, "-n", given.workers, "--dist", "worksteal"]
    options += ["--hypothesis-profile", "soak", "--soak-rounds", str(given.rounds), "--maxfail", "1"]
    return int(pytest.main([*options, "tests/unit"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
