"""Functions are paused and resumed. What is paused lies in one item, which is read with the version of all apps; runs
that wait stand in a line of their function, from which a resume wakes them page by page (docs/FLOW.md, "Pause")."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.core import concurrency as rule
from chalicelib.core import endpoints, function_pauses, ids
from chalicelib.core.errors import Conflict, TransactionConflict
from chalicelib.core.function_pauses import FunctionPause, Paused, PauseMode
from chalicelib.core.messages import ResumeMessage
from chalicelib.core.records import Start
from chalicelib.engine import lines, query_functions
from chalicelib.engine.app_ports import Apps
from chalicelib.engine.services import Services, logger

_TRIES = 10
_PAGE = 50


def pause(s: Services, apps: Apps, fn_id: str, mode: PauseMode) -> None:
    """Let the function's runs wait, or its events start nothing. One that is paused so already stays so. Raises
    NotFound, Conflict, LimitExceeded."""
    if query_functions.known(s, fn_id).driver == endpoints.DRIVER:
        raise Conflict("an app begins these runs within requests to it: pausing them here would not hold them")
    now = s.clock.now_ms()
    wanted = FunctionPause(id=ids.ulid(now, s.chance.entropy()), mode=mode, since_ms=now)

    def paused(there: Paused) -> Paused:
        before, after = there.get(fn_id), function_pauses.with_pause(there, fn_id, wanted)
        if before is not None and before.holds and after is not there:
            # They go on: what is skipped is what comes from now on. Sent before it is written, as by a resume.
            _send(s, fn_id, before)
        return after

    if _change(apps, paused):
        # Who goes on to look at the function sees it.
        s.catalog.pause_of(fn_id, anew=True)
        logger.info("function paused", extra={"function_id": fn_id, "mode": mode})


def resume(s: Services, apps: Apps, fn_id: str) -> None:
    """Let the function go on, and wake its runs that wait. Nothing happens to one that is not paused. Raises NotFound
    where there is no such function, paused or not."""

    def resumed(there: Paused) -> Paused:
        before = there.get(fn_id)
        if before is None:
            query_functions.known(s, fn_id)
            return there
        if before.holds:
            # Before it is written: who dies in between has resumed it all the same.
            _send(s, fn_id, before)
        return function_pauses.without_pause(there, fn_id, before.id)

    if _change(apps, resumed):
        s.catalog.pause_of(fn_id, anew=True)
        logger.info("function resumed", extra={"function_id": fn_id})


def _send(s: Services, fn_id: str, about: FunctionPause) -> None:
    s.queues.send_events([ResumeMessage(fn_id=fn_id, pause_id=about.id)])


def _change(apps: Apps, decide: Callable[[Paused], Paused]) -> bool:
    """Write what is decided on what is there; whether there was something to write."""
    for _ in range(_TRIES):
        seen = apps.registered()
        wanted = decide(seen.paused)
        if wanted is seen.paused:
            return False
        if apps.set_paused(wanted, seen=seen.pauses):
            return True
    raise TransactionConflict("other functions were paused or resumed all the while; ask again")


def go_on(s: Services, apps: Apps, message: ResumeMessage) -> None:
    """End the pause, if it is still this one, and wake a page of those who wait, in order. Returning acknowledges the
    message."""
    fn_id = message.fn_id
    _change(apps, lambda there: function_pauses.without_pause(there, fn_id, message.pause_id))
    # Who takes a stand looks afterwards, and so do we: one of the two sees the other.
    if lines.is_held(s, fn_id, anew=True):
        return  # It is paused again: whoever resumes it wakes them.
    key = rule.pause_claim(fn_id).key
    page = s.lines.page(key, after=message.after, limit=_PAGE)
    lines.wake_page(s, key, page)
    if len(page) == _PAGE:
        s.queues.send_events([message.model_copy(update={"after": page[-1].place_in_line})])
    elif page or message.after is not None:
        logger.info("runs of a resumed function were woken", extra={"function_id": fn_id})


def unless_skipped(s: Services, planned: Start) -> Start:
    """The start as a pause leaves it."""
    pause = s.catalog.pause_of(planned.fn_id)
    if pause is None or pause.holds or not planned.is_live:
        return planned
    return planned.model_copy(update={"skipped": pause.reason})
