"""Looking at what waits for events: waits of runs, and what would cancel them. Nothing is written for it: the index is
searched, bounded per request, so that a page may be short and still have a cursor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from pydantic import ValidationError

from chalicelib.core import limits
from chalicelib.core.clock import to_iso
from chalicelib.core.pauses import Pause, PauseKind, is_first_row
from chalicelib.core.runs import RunHead
from chalicelib.core.steps import PauseKey, StepStatus
from chalicelib.engine.operator_ports import Looking
from chalicelib.engine.pages import Page, decode_cursor, encode_cursor, not_ours
from chalicelib.engine.query import load_run
from chalicelib.engine.services import Services

# Each is 128 read units at most: a search costs 1,280 at most, and 1 for each row that it shows.
MAX_PARTS = 10
_MAX_KEY_CHARS = 1_000


def waiting_for(s: Services, looking: Looking, event_name: str, *, limit: int, cursor: str | None) -> Page:
    """What an event of this name would be checked against."""
    place = _place(cursor)
    if not s.pauses.shapes(event_name):
        return Page([], None)  # Nothing has waited for it of late: one read tells.
    rows: list[dict[str, Any]] = []
    for _ in range(MAX_PARTS):
        found, following = looking.waiting_for(event_name, place)
        firsts = iter([pause for pause in found if is_first_row(pause.key)])
        while some := list(islice(firsts, limit - len(rows))):
            rows += _shown(s, looking, some)
            if len(rows) == limit:
                is_end = following is None and some[-1].key == found[-1].key
                return Page(rows, None if is_end else encode_cursor(some[-1].key.model_dump_json()))
        if following is None:
            return Page(rows, None)
        place = following
    return Page(rows, None if place is None else encode_cursor(place.model_dump_json()))


def of_run(s: Services, looking: Looking, run_id: str, event_name: str | None) -> Page:
    """What a run waits for, and what would cancel it. Raises NotFound."""
    run = load_run(s, run_id)
    if run.head.ending is not None:
        return Page([], None)
    waiting = [step.plan.pauses for step in run.steps.values() if step.status is StepStatus.WAITING]
    keys = [key for pauses in (*waiting, run.head.seed.cancels) for key in pauses if is_first_row(key)]
    wanted = [pause for pause in looking.pauses(keys) if event_name in (None, pause.event_name)]
    return Page(_shown(s, looking, wanted), None)


def _place(cursor: str | None) -> PauseKey | None:
    """Raises InvalidQuery."""
    if cursor is None:
        return None
    try:
        place = PauseKey.model_validate_json(decode_cursor(cursor))
    except ValidationError:
        raise not_ours() from None
    if not (0 < len(place.key) <= _MAX_KEY_CHARS and 0 < len(place.row) <= _MAX_KEY_CHARS):
        raise not_ours()
    return place


def still_open(
    s: Services, looking: Looking, pauses: Sequence[Pause]
) -> Iterator[tuple[Pause, RunHead, dict[str, Any]]]:
    """Those of them that are open, each with its run's head and as it is shown. The rows are an index only, removed
    after what they stand for: whether a wait is open its step says, and whether a run can be cancelled its head."""
    heads = {head.run_id: head for head in s.runs.heads([pause.run_id for pause in pauses])}
    steps = looking.steps([(pause.run_id, pause.step_id) for pause in pauses if pause.step_id is not None])
    for pause in pauses:
        head = heads.get(pause.run_id)
        if head is None or head.ending is not None:
            continue
        step = None if pause.step_id is None else steps.get((pause.run_id, pause.step_id))
        if pause.kind is PauseKind.WAIT and (step is None or step.status is not StepStatus.WAITING):
            continue
        yield pause, head, _wire(pause, None if step is None else step.plan.name)


def _shown(s: Services, looking: Looking, pauses: Sequence[Pause]) -> list[dict[str, Any]]:
    return [shown for _, _, shown in still_open(s, looking, pauses)]


def _wire(pause: Pause, step: str | None) -> dict[str, Any]:
    since_ms = pause.accept_after_us // 1000
    # A cancellation without a time-out has an end far behind the longest run.
    is_endless = (
        pause.kind is PauseKind.CANCEL and pause.accept_until_ms - since_ms > limits.MAX_WAIT_MS + limits.DAY_MS
    )
    return {
        "kind": pause.kind.value,
        "event": pause.event_name,
        "condition": pause.if_exp,
        "run_id": pause.run_id,
        "function_id": pause.fn_id,
        "step": step,
        "step_id": pause.step_id,
        "since": to_iso(since_ms),
        "until": None if is_endless else to_iso(pause.accept_until_ms),
    }
