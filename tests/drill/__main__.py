"""`make drill`: the incident that Stepwell answers, on the local cloud; it cannot happen here, and this shows it.

Exit code: 0 when every promise held, 1 when one did not, 2 when the drill did not come to its end.
"""

from __future__ import annotations

import argparse
import faulthandler
import sys
import time
from collections.abc import Iterable

from tests.drill import costs, letters, promises, report, story, without
from tests.drill.promises import Promise
from tests.drill.scene import DrillFailed, scene

_RUNS, _WAITS = 2_000, 250_000
_COMPARED, _COMPARED_WAITS = 40, 1_000
# Whatever hangs, the process ends after this; the emulator ends with it.
_AT_MOST_S = 3_600


def main(arguments: list[str]) -> int:
    """Run the drill; the exit code."""
    parser = argparse.ArgumentParser(
        prog="make drill", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=_RUNS, help=f"how many runs ({_RUNS:,})")
    parser.add_argument("--waits", type=int, default=_WAITS, help=f"waits of other runs in the index ({_WAITS:,})")
    parser.add_argument("--probes", type=int, default=20, help="events whose latency is measured, in each phase (20)")
    parser.add_argument(
        "--compare", type=int, default=_COMPARED, help=f"runs of each column without a defence ({_COMPARED}; 0: none)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the order in which messages come again (1)")
    parser.add_argument("--rest-within", type=float, default=900.0, help="seconds to come to rest in (900)")
    given = parser.parse_args(arguments)
    if min(given.runs, given.waits, given.probes) < 1 or given.compare < 0:
        parser.error("--runs, --waits and --probes must be at least 1, --compare at least 0")
    faulthandler.dump_traceback_later(_AT_MOST_S, exit=True)
    try:
        found = _drill(given)
    except (DrillFailed, TimeoutError) as error:
        say(f"The drill did not come to its end: {error}")
        return 2
    finally:
        faulthandler.cancel_dump_traceback_later()
    return _judge(found)


def _drill(given: argparse.Namespace) -> list[Promise]:
    size = story.Size(given.runs, given.waits, given.probes, given.rest_within)
    with scene() as ground:
        told = story.tell(ground, size, given.seed, step)
        step("what matching costs")
        cost = costs.measure(ground, size.waits)
        dead = letters.follow(ground, step)
    compared = None
    if given.compare:
        compared = without.compare(without.Comparison(given.compare, _COMPARED_WAITS, 10.0), given.seed, step)
    for part in (report.story(told), report.chart(told), report.reasons(told), report.costs(cost)):
        show(part)
    show(report.letters(dead))
    found = promises.of_story(told) + promises.of_costs(cost) + promises.of_letters(dead)
    for text in told.wrong[:10]:
        say(text)
    if compared is not None:
        show(report.comparison(*compared, _COMPARED_WAITS, cost))
        found += promises.of_comparison(*compared)
    return found


def _judge(found: list[Promise]) -> int:
    broken = [promise for promise in found if not promise.held]
    for promise in broken:
        say(f"BROKEN: it did not hold that {promise.text}")
    say(f"{len(found) - len(broken)} of {len(found)} promises held.")
    return 1 if broken else 0


def show(lines: Iterable[str]) -> None:
    """A part of the report, and a line below it."""
    say()
    for line in lines:
        say(line)


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


_BEGAN = time.monotonic()


def step(text: str) -> None:
    """How far the drill is."""
    say(f"{time.monotonic() - _BEGAN:5.0f} s  {text}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
