"""`make e2e`: a real deployment into an emulated AWS, in a copy of the tree, and what must then be true of it.

`python -m tests.e2e --only NAME` tells the stories whose title contains NAME (the deployment itself is always told);
`--keep` leaves everything standing until Ctrl-C, to look around.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from functools import partial
from types import FrameType

from tests.e2e import remains
from tests.e2e.deploying import Hands
from tests.e2e.ground import PLAIN_STAGE, STAGE, Ground, prepared
from tests.e2e.report import Report, explain, say
from tests.e2e.stories import messages, operating, root, runs
from tests.e2e.waiting import stopping, until
from tests.e2e.world import World

SIDE_BY_SIDE = (
    runs.hello_completes,
    runs.onboarding_waits_for_its_event,
    runs.onboarding_ends_with_its_user,
    runs.trial_is_cancelled_by_the_upgrade,
    runs.a_killed_handler_recovers,
    runs.a_killed_parallel_step_recovers_alone,
    runs.the_schedule_fires,
    runs.a_large_payload_travels,
    runs.the_bus_is_a_second_entrance,
    runs.a_wait_looks_back,
    runs.the_package_is_whole,
    root.an_sdk_finds_everything_below_the_root,
    root.the_root_passes_everything_on_unchanged,
    root.an_app_that_wants_a_connection_is_told_why_not,
    messages.a_failing_message_is_redelivered_alone,
    operating.the_api_wants_its_bearer,
    operating.rotated_keys_work_without_a_deploy,
)
# One after the other, beside all of the above.
IN_TURN = (
    operating.a_redeploy_in_mid_run_loses_nothing,
    operating.a_deploy_without_changes_works,
    operating.a_deploy_that_is_refused_something_is_repeated,
    operating.a_redeploy_that_dies_halfway_is_repeated,
)


def main() -> int:
    """The exit code: 0 when every story came to its end as it should."""
    arguments = _arguments()
    if not sys.platform.startswith("linux"):
        say(
            "skipped: the emulator runs the package on this machine, and what is packaged for Lambda runs on Linux only"
        )
        return 0
    began = time.monotonic()
    report = Report()
    with prepared() as ground:
        hands = Hands(ground)

        def interrupted(_number: int, _frame: FrameType | None) -> None:
            stopping.set()
            # Stories wait for their commands, and we for the stories. Elsewhere, since we may hold the children's lock.
            threading.Thread(target=hands.children.kill_all).start()
            raise KeyboardInterrupt

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, interrupted)
        try:
            _tell(report, ground, hands, arguments.only)
            if arguments.keep:
                say(f"\nStanding at {ground.endpoint}, {ground.folder}; Ctrl-C ends it.")
                threading.Event().wait()
        except KeyboardInterrupt:
            say("\ninterrupted")
            stopping.set()
            return 130
        finally:
            stopping.set()
            hands.children.kill_all()
    took = time.monotonic() - began
    if report.failed:
        say(f"\n{len(report.failed)} of {report.told} stories failed, in {took:.0f} s: " + "; ".join(report.failed))
        return 1
    say(f"\n{report.told} stories, in {took:.0f} s")
    return 0


def _tell(report: Report, ground: Ground, hands: Hands, only: str) -> None:
    say(f"e2e with Python {sys.version.split()[0]}, in {ground.folder}")
    deployed = report.tell("a first deploy that dies halfway is repeated", lambda: _first_deploy(hands))
    if not deployed:
        explain(ground, hands)
        return
    world = World(ground, hands, STAGE, hands.api(STAGE))
    wanted = [(_title(story), story) for story in SIDE_BY_SIDE if only in _title(story)]
    plain = "make infra and a plain chalice deploy lose nothing"
    stories = [(title, partial(story, world)) for title, story in wanted]

    def in_turn() -> None:
        for story in IN_TURN:
            if only in _title(story) and not report.tell(_title(story), partial(story, world)):
                return
        if only in plain:
            report.tell(plain, lambda: _plain_deploy(ground, hands))

    turns = threading.Thread(target=in_turn, daemon=True)
    turns.start()
    report.tell_all(stories)
    while turns.is_alive():
        turns.join(0.5)
    report.tell("no other message was given up", partial(messages.nothing_else_is_dead, world))
    if report.failed:
        explain(ground, hands)
    report.tell("destroy leaves nothing", lambda: _destroy(ground, hands))


def _title(story: object) -> str:
    return str(getattr(story, "__name__", story)).replace("_", " ")


def _first_deploy(hands: Hands) -> None:
    hands.infra_killed("deploy", STAGE, at=f"stepwell-{STAGE}-on_tick")
    hands.infra("deploy", STAGE)


def _plain_deploy(ground: Ground, hands: Hands) -> None:
    hands.infra("infra", PLAIN_STAGE)
    hands.plain_chalice(PLAIN_STAGE)
    root.it_comes_after_a_plain_chalice_deploy(ground, hands, PLAIN_STAGE)
    world = World(ground, hands, PLAIN_STAGE, hands.api(PLAIN_STAGE))
    messages.a_failing_message_is_redelivered_alone(world)


def _destroy(ground: Ground, hands: Hands) -> None:
    there = remains.found(ground)
    kinds = ("tables", "queues", "buckets", "functions", "mappings", "apis", "function URLs", "rules", "parameters")
    for kind in (*kinds, "log groups"):
        assert there.get(kind), f"no {kind} to destroy: the list is not a list of everything"
    for stage in (STAGE, PLAIN_STAGE):
        if any(f"stepwell-{stage}" in name for name in there.get("stacks", [])):
            hands.infra("destroy", stage, "--yes", "--data", "delete")
    until("nothing is left", lambda: _nothing(ground), 10)


def _nothing(ground: Ground) -> bool:
    left = remains.found(ground)
    assert not left, f"left: {left}"
    return True


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", default="", help="tell the stories whose title contains this")
    parser.add_argument("--keep", action="store_true", help="leave everything standing until Ctrl-C")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
