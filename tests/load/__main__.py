"""`make load`: a burst and a steady stream on the local cloud, worked off by processes as Lambda's would do it.

Exit code: 0 when every promise held, 1 when one did not, 2 when the load did not come to its end.
"""

from __future__ import annotations

import argparse
import faulthandler
import sys

from tests.bench.engine import say
from tests.load import report
from tests.load.load import LoadFailed, Size, carry

_AT_MOST_S = 3_600


def main(arguments: list[str]) -> int:
    """Run the load; the exit code."""
    parser = argparse.ArgumentParser(
        prog="make load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--burst", type=int, default=2_000, help="events as fast as they are accepted (2000)")
    parser.add_argument("--rate", type=int, default=10, help="events a second of the stream that follows (10)")
    parser.add_argument("--seconds", type=int, default=60, help="how long that lasts (60)")
    parser.add_argument("--workers", type=int, default=2, help="processes that work off the queues (2)")
    parser.add_argument(
        "--grow-mb", type=float, default=4.0, help="by how much a worker's memory may grow meanwhile (4)"
    )
    parser.add_argument("--rest-within", type=float, default=900.0, help="seconds for each backlog to drain in (900)")
    given = parser.parse_args(arguments)
    if min(given.burst, given.rate, given.seconds, given.workers) < 1:
        parser.error("--burst, --rate, --seconds and --workers must be at least 1")
    faulthandler.dump_traceback_later(_AT_MOST_S, exit=True)
    try:
        told = carry(Size(given.burst, given.rate, given.seconds, given.workers, given.rest_within))
    except (LoadFailed, TimeoutError) as error:
        say(f"The load did not come to its end: {error}")
        return 2
    finally:
        faulthandler.cancel_dump_traceback_later()
    for part in (report.head(told), report.backlog(told), report.memory(told), report.costs(told)):
        say()
        for line in part:
            say(line)
    for text, count in told.errors.most_common(5):
        say(f"error, {count} times: {text}")
    promises = list(report.promises(told, given.grow_mb))
    say()
    for line in report.verdicts(promises):
        say(line)
    return 0 if all(promise.held for promise in promises) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
