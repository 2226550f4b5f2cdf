"""Replaying a run: a new one with the same function and event, and, if it is to begin at a step, with the results of
those that had ended before.

Flow control looks at what events start; a replay is asked for, so only its places are limited, like those of any run.
"""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.core import endpoints, ids
from chalicelib.core.errors import Conflict
from chalicelib.core.events import Event
from chalicelib.core.replays import results_before
from chalicelib.core.runs import RunHead, RunSeed
from chalicelib.core.steps import StepRecord
from chalicelib.engine import concurrency, query, start
from chalicelib.engine.services import Services, logger
from chalicelib.engine.side_by_side import side_by_side


def replay(s: Services, run_id: str, from_step: str | None) -> RunHead:
    """Replay a run, open or ended; the new run's head. Each call makes another run. Raises NotFound, Conflict when its
    function is no more, InvalidReplay."""
    run = query.load_run(s, run_id)
    s.catalog.catch_up(s.clock.now_ms())
    check_function(s, run.head.seed.fn_id)
    results = () if from_step is None else results_before(run.steps, from_step)
    now = s.clock.now_ms()
    head = begin(s, run.head.seed, run.events, ids.ulid(now, s.chance.entropy()), now, results)
    logger.info("run replayed", extra={"run_id": run_id, "new_run_id": head.run_id, "copied": len(results)})
    return head


def check_function(s: Services, fn_id: str) -> None:
    """Raises Conflict for a function whose runs cannot be replayed."""
    config = s.catalog.get(fn_id)
    if config is None or config.retired:
        where = "neither in this deployment nor in a synced app" if config is None else "its app has it no more"
        raise Conflict(f"the function {fn_id!r} is no more ({where}): deploy or sync it, then replay its runs")
    if config.driver == endpoints.DRIVER:
        raise Conflict("an app began this run within a request: send the request to the app again")


def begin(
    s: Services,
    original: RunSeed,
    events: Sequence[Event],
    run_id: str,
    now_ms: int,
    results: Sequence[StepRecord] = (),
) -> RunHead:
    """Make the run, if absent, and drive it. `events`: that of the original, or all of its batch. Repeating it with the
    same `run_id` changes nothing; dying in between leaves rows that nobody reads, or a run that is sent its turn by
    `on_collect`."""
    s.runs.put_replay(original.run_id, run_id)
    # The results first: a run that has a head has them.
    side_by_side(lambda step: s.runs.put_step(run_id, step), results, s.settings.match_threads)
    seed = RunSeed(
        run_id=run_id,
        fn_id=original.fn_id,
        event_id=original.event_id,
        event_name=original.event_name,
        trigger_received_at_us=original.trigger_received_at_us,
        # By now, and not when the copying began: what comes meanwhile must not cancel it.
        created_at_ms=max(now_ms, s.clock.now_ms()),
        cron=original.cron,
        warnings=concurrency.problems(s.catalog.get(original.fn_id), events[0]),
        gathered=original.gathered,
        original_run_id=original.run_id,
    )
    return start.create(s, seed, events[0], None, events[1:])
