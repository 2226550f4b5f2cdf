"""Replays: of a run, of many."""

from __future__ import annotations

from typing import Any

from chalicelib.core.runs import RunStatus
from chalicelib.engine import replays, replays_of_many
from chalicelib.web.models import PageQuery, ReplayRequest, RunReplayRequest
from chalicelib.web.views.wrapping import wrap, wrap_page
from chalicelib.wiring import Platform


def replay(p: Platform, run_id: str, body: RunReplayRequest) -> dict[str, Any]:
    """The answer is the new run: the same function and event. The run itself stays as it is, and may still be open.
    Each request makes a run; a request that got no answer may have made one, which the run's timeline tells."""
    return wrap(p, replays.replay(p.services, run_id, body.from_step).wire())


def create(p: Platform, function_id: str, body: ReplayRequest) -> dict[str, Any]:
    """Answers at once; the runs are replayed from their starts, page by page, afterwards."""
    state = replays_of_many.create(
        p.services, function_id, status=RunStatus(body.status), after_ms=body.after, before_ms=body.before
    )
    return wrap(p, state.wire())


def show_all(p: Platform, params: PageQuery) -> dict[str, Any]:
    return wrap_page(p, replays_of_many.listed(p.services, limit=params.limit, cursor=params.cursor))


def show(p: Platform, replay_id: str) -> dict[str, Any]:
    return wrap(p, replays_of_many.find(p.services, replay_id).wire())


def stop(p: Platform, replay_id: str) -> dict[str, Any]:
    """No more runs are replayed; the new runs that there are go on."""
    return wrap(p, replays_of_many.stop(p.services, replay_id).wire())
