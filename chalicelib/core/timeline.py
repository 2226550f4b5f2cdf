"""A run's timeline, read from its head and its steps: there is no second copy of the history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.core.clock import to_iso
from chalicelib.core.durations import format_lookback
from chalicelib.core.joining import Gathered, JoinKind
from chalicelib.core.runs import Run, RunHead
from chalicelib.core.steps import Cause, CauseKind, StepKind, StepOutcome, StepPlan, StepRecord, StepStatus, in_order


def timeline(run: Run, replays: Sequence[RunHead] = ()) -> list[dict[str, Any]]:
    """Entries in the order of their times: `at`, `type`, and what belongs to the type. `replays` are the runs that
    replay this one."""
    head = run.head
    original = {} if head.seed.original_run_id is None else {"original_run_id": head.seed.original_run_id}
    entries: list[tuple[int, dict[str, Any]]] = [
        (
            head.seed.created_at_ms,
            {
                "type": "run.created",
                "event": {"id": head.seed.event_id, "name": head.seed.event_name},
                **original,
            },
        )
    ]
    body: dict[str, Any]
    entries += [(head.seed.created_at_ms, {"type": "warning", "message": text}) for text in head.seed.warnings]
    if head.seed.gathered is not None:
        entries.append((head.seed.created_at_ms, _gathered(run, head.seed.gathered)))
    if head.seed.not_before_ms is not None:
        body = {"type": "run.throttled", "until": to_iso(head.seed.not_before_ms)}
        entries.append((head.seed.created_at_ms, body))
    steps = in_order(run.steps.values())
    entries += [(head.seed.created_at_ms, _copied(step)) for step in steps if step.plan.copied]
    if head.begun_at_ms is not None:
        entries.append((head.begun_at_ms, {"type": "run.started"}))
    # Sorting is stable: what happened in one millisecond stays in the order in which the steps began.
    for step in steps:
        entries += () if step.plan.copied else _step_entries(step)
    if head.stalled is not None:
        entries.append((head.begun_at_ms or head.seed.created_at_ms, {"type": "run.stalled", "reason": head.stalled}))
    if head.ending is not None:
        body = {"type": f"run.{head.ending.status.value.lower()}"}
        if head.ending.error is not None:
            body["error"] = head.ending.error.model_dump(exclude_none=True)
        if head.ending.cause is not None:
            body["cause"] = _cause(head.ending.cause)
        entries += [(head.ending.ended_at_ms, {"type": "warning", "message": text}) for text in head.ending.warnings]
        entries.append((head.ending.ended_at_ms, body))
        late = [step for step in run.steps.values() if _is_late(step, head.ending.ended_at_ms)]
        if late:
            text = f"{len(late)} step result(s) came after the end and changed nothing"
            entries.append((head.ending.ended_at_ms, {"type": "warning", "message": text}))
    entries += [(one.seed.created_at_ms, {"type": "run.replayed", "run_id": one.run_id}) for one in replays]
    entries.sort(key=lambda entry: entry[0])
    return [{"at": to_iso(at), **body} for at, body in entries]


def _gathered(run: Run, gathered: Gathered) -> dict[str, Any]:
    body = {"count": gathered.count, "since": to_iso(gathered.first_ms)}
    if gathered.kind is JoinKind.DEBOUNCE:
        return {"type": "run.debounced", **body}
    return {"type": "run.batched", **body, "events": [{"id": e.internal_id, "name": e.name} for e in run.events]}


def _is_late(step: StepRecord, ended_at_ms: int) -> bool:
    return step.outcome is not None and step.outcome.ended_at_ms > ended_at_ms


def _cause(cause: Cause) -> dict[str, Any]:
    return cause.model_dump(mode="json", exclude_none=True)


_BEGINNINGS = {
    StepKind.SLEEP: "step.sleeping",
    StepKind.WAIT: "step.waiting",
    StepKind.INVOKE: "step.invoking",
    StepKind.SIGNAL: "step.waiting",
}


def _step_entries(step: StepRecord) -> list[tuple[int, dict[str, Any]]]:
    plan = step.plan
    base: dict[str, Any] = {"step": plan.name, "step_id": step.id}
    entries: list[tuple[int, dict[str, Any]]] = []
    if plan.kind in _BEGINNINGS:
        entries.append((plan.started_at_ms, {"type": _BEGINNINGS[plan.kind], **base, **_details(step)}))
    elif plan.planned:
        entries.append((plan.started_at_ms, {"type": "step.planned", **base}))
    entries += [(plan.started_at_ms, {"type": "warning", **base, "message": text}) for text in plan.warnings]
    for number, attempt in enumerate(plan.attempts, start=1):
        kind = "function.attempt_failed" if plan.kind is StepKind.FUNCTION else "step.attempt_failed"
        entries.append(
            (
                attempt.ended_at_ms,
                {
                    "type": kind,
                    **base,
                    "attempt": number,
                    "started_at": to_iso(attempt.started_at_ms),
                    "took_ms": attempt.ended_at_ms - attempt.started_at_ms,
                    "error": attempt.error.model_dump(exclude_none=True),
                },
            )
        )
    if step.outcome is not None:
        entries.append((step.outcome.ended_at_ms, _ending(step, base)))
    return entries


def _copied(step: StepRecord) -> dict[str, Any]:
    """How it came to its end, the original's timeline tells."""
    body: dict[str, Any] = {"type": "step.copied", "step": step.plan.name, "step_id": step.id}
    if step.outcome is not None and step.outcome.error is not None:
        body["error"] = step.outcome.error.model_dump(exclude_none=True)
    return body


def _details(step: StepRecord) -> dict[str, Any]:
    plan = step.plan
    body: dict[str, Any] = {}
    if plan.wait_event is not None:
        body["event"] = plan.wait_event
    if plan.wait_if is not None:
        body["if"] = plan.wait_if
    if plan.wait_any:
        body["any_of"] = [awaited.wire() for awaited in plan.wait_any]
    if plan.lookback is not None:
        body["lookback"] = format_lookback(plan.lookback)
    if plan.signal is not None:
        body["signal"] = plan.signal
    if plan.invokes is not None:
        body["function_id"] = plan.invokes
        body["run_id"] = plan.invoked_run
    if step.wake_at_ms is not None:
        body["until"] = to_iso(step.wake_at_ms)
    return body


def _ending(step: StepRecord, base: dict[str, Any]) -> dict[str, Any]:
    outcome = step.outcome
    assert outcome is not None
    body: dict[str, Any] = {
        "type": "step.completed" if step.status is StepStatus.COMPLETED else "step.failed",
        **base,
        "took_ms": max(0, outcome.ended_at_ms - step.plan.started_at_ms),
    }
    if step.plan.request is not None:
        body["request"] = step.plan.request
    if step.plan.kind is StepKind.RUN or step.plan.is_request:
        body["attempts"] = len(step.plan.attempts) + (step.status is StepStatus.COMPLETED)
    if outcome.error is not None:
        body["error"] = outcome.error.model_dump(exclude_none=True)
    if outcome.cause is not None:
        body["cause"] = _cause(outcome.cause)
        if step.plan.is_wait and outcome.error is None:
            body |= _wait_ending(step.plan, outcome)
    return body


def _wait_ending(plan: StepPlan, outcome: StepOutcome) -> dict[str, Any]:
    if outcome.cause is None or outcome.cause.kind is CauseKind.TIMER:
        return {"type": "step.timed_out"}
    body: dict[str, Any] = {"type": "step.resumed"}
    if plan.wait_any:
        body["index"] = outcome.output["index"]
    if outcome.looked_back:
        body["looked_back"] = True
    return body
