"""Replaying many runs of a function, each from its start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chalicelib.core import ids
from chalicelib.core.messages import ReplayMessage
from chalicelib.core.replays import InvalidReplay, Replay, ReplayProgress, ReplayState
from chalicelib.core.runs import RunStatus
from chalicelib.engine import bulk, query_functions, replays
from chalicelib.engine.pages import Page
from chalicelib.engine.services import Delivery, Services, logger
from chalicelib.engine.side_by_side import side_by_side


def create(s: Services, fn_id: str, *, status: RunStatus, after_ms: int | None, before_ms: int | None) -> ReplayState:
    """Have the runs replayed that were created in this time, until now if it has no end, and have ended so. Raises
    InvalidReplay, NotFound, Conflict."""
    query_functions.known(s, fn_id)
    replays.check_function(s, fn_id)
    now = s.clock.now_ms()
    before = now if before_ms is None else before_ms
    if before > now:
        raise InvalidReplay("before must not lie in the future: what will be started is not replayed")
    if after_ms is not None and after_ms >= before:
        raise InvalidReplay("after must lie before `before`, and before now")
    replay = Replay(
        id=ids.ulid(now, s.chance.entropy()),
        fn_id=fn_id,
        created_at_ms=now,
        started_after_ms=after_ms or 0,
        started_before_ms=before,
        status=status,
    )
    state = bulk.create(s, _kind(s), replay)
    logger.info("replay of many created", extra={"replay_id": replay.id, "function_id": fn_id})
    return state


def _kind(s: Services) -> bulk.Kind[Replay, ReplayProgress, ReplayState]:
    return bulk.Kind(
        store=s.replays,
        message=lambda job, place: ReplayMessage(replay=job, place=place),
        fills=lambda job, standing: standing.status is job.status,
        carry_out=lambda job, rows: _carry_out(s, job, rows),
        noun="replay",
    )


def find(s: Services, replay_id: str) -> ReplayState:
    """Raises NotFound."""
    return bulk.find(_kind(s), replay_id)


def stop(s: Services, replay_id: str) -> ReplayState:
    """Replay no more runs. What was replayed goes on, and one that is over stays as it is. Raises NotFound."""
    return bulk.stop(s, _kind(s), replay_id)


def listed(s: Services, *, limit: int, cursor: str | None) -> Page:
    """Newest first. Raises InvalidQuery."""
    return bulk.listed(_kind(s), ReplayState.wire, limit=limit, cursor=cursor)


def go_on(s: Services, message: ReplayMessage, delivery: Delivery) -> None:
    """Carry out a page. Returning acknowledges the message."""
    about = message.replay
    done = bulk.go_on(s, _kind(s), about, message.place, delivery)
    if done is not None:
        now, counts = done
        extra = {"replay_id": about.id, "function_id": about.fn_id, "replayed": counts["replayed"]}
        logger.info("replay of many" if now.place is not None else "replay of many ended", extra=extra)


def _carry_out(s: Services, about: Replay, rows: Sequence[bulk.Row]) -> Mapping[str, int]:
    wanted = [row for row in rows if row.standing.status is about.status]
    done = side_by_side(lambda row: _replay(s, about, row.standing.run_id), wanted, s.settings.match_threads)
    counted = [is_done for row, is_done in zip(wanted, done, strict=True) if row.counts]
    return {"replayed": sum(counted), "errors": len(counted) - sum(counted)}


def _replay(s: Services, about: Replay, run_id: str) -> bool:
    """Under an id that follows from the run's: once, however often the page comes. False when the run is gone."""
    head, events = s.runs.head(run_id), s.runs.trigger_events(run_id)
    if head is None or not events:
        return False
    # Not before the replay itself, whatever the clocks: else it would find what it has made.
    replays.begin(s, head.seed, events, ids.replay_run_id(about.id, run_id), about.created_at_ms)
    return True
