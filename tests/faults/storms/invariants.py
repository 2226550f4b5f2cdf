"""What must be true of a world at rest, whatever happened in it. docs/RELIABILITY.md has this list, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chalicelib.core.runs import Run, RunStatus
from chalicelib.core.steps import FUNCTION_ENTRY, StepKind, StepStatus
from chalicelib.core.timeline import timeline
from tests.faults import counting, observe
from tests.faults.emulator import DEAD
from tests.faults.harness import differences
from tests.faults.storms import of_events, of_flow
from tests.faults.storms.seen import SKEW_MS, Seen
from tests.faults.storms.weather import Fault

Invariant = Callable[[Seen], list[str]]

_MOST_RECEIVES = 10
# Whether that was right, another invariant tells.
_BURIED = "message went to the dead letters"
_KILLED = "exceeded time or memory"
# Functions that fail, and what says so.
_MAY_FAIL = frozenset({"doomed", "fails-once", "callee"})


def what_is_recorded_once_never_changes(seen: Seen) -> list[str]:
    """A step's result and a run's end stay as they were first written."""
    return list(seen.world.watch.violations)


def all_runs_end(seen: Seen) -> list[str]:
    """Every run has ended and is settled, and none holds a lease."""
    return observe.unsettled(seen.runs)


def runs_end_as_they_may(seen: Seen) -> list[str]:
    """Completed; cancelled, where something cancels; failed, where the function fails, or its process died often."""
    found = []
    for run in seen.runs.values():
        status, error = run.head.status, run.head.ending.error if run.head.ending else None
        killed = error is not None and _KILLED in error.message
        if status is RunStatus.CANCELLED and not _may_be_cancelled(seen, run):
            found.append(f"{_name(run)} was cancelled: {error}")
        if status is RunStatus.FAILED and run.head.seed.fn_id not in _MAY_FAIL and not (killed and _often(seen)):
            found.append(f"{_name(run)} failed: {error}")
        found += [
            f"step {step.plan.name} of {_name(run)} was given up: {step.outcome.error.message}"
            for step in run.steps.values()
            if step.outcome and step.outcome.error and _KILLED in step.outcome.error.message and not _often(seen)
        ]
    return found


def _may_be_cancelled(seen: Seen, run: Run) -> bool:
    config = seen.configs.get(run.head.seed.fn_id)
    if config is None:
        return False
    flow = config.flow
    limited = flow is not None and (flow.singleton is not None or flow.timeouts is not None)
    return bool(config.cancel) or limited


def _often(seen: Seen) -> bool:
    return seen.world.disruptions > 2


def _name(run: Run) -> str:
    return f"{run.head.seed.fn_id} {run.head.run_id[-6:]}"


def as_in_calm_weather(seen: Seen) -> list[str]:
    """What was disturbed gently ends as if nothing had happened: runs, steps, events and what they caused. So it stands
    as soon as all messages have been handled, before anybody looks for what was forgotten."""
    if seen.wanted is None or seen.world.resent:
        return []
    after_script, at_end = (differences(*both) for both in zip(seen.world.pictures, seen.wanted, strict=True))
    if seen.world.history.faults[Fault.TICK_MISSED]:
        # What is due when the script is over may come minutes later.
        return at_end
    return at_end or [f"when the script was over: {text}" for text in after_script]


def nothing_is_left(seen: Seen) -> list[str]:
    """No message, pause, signal, timer, place, waiter, open batch or open key of anything that is over. A place whose
    time ran out is free: it is left when its holder died just after the last message for its run had come."""
    now = seen.world.now_ms
    free = {
        row["sk"] for row in seen.world.emulator.rows("limits") if row["sk"].startswith("slot#") and row["lu"] < now
    }
    left = observe.left_over(seen.world, seen.runs)
    return [text for text in left if not text.startswith("left under a limit") or text.rsplit(" ", 1)[1] not in free]


def ends_are_told_once(seen: Seen) -> list[str]:
    """Each run's end is told by each of its lifecycle events exactly once."""
    return observe.untold_ends(seen.world, seen.runs)


def bulk_cancellations_end(seen: Seen) -> list[str]:
    """Each has come to its end, and has counted each run that it cancelled once."""
    return observe.unfinished_cancellations(seen.world, seen.runs)


def nothing_is_counted_twice(seen: Seen) -> list[str]:
    """No metric says more than what lies in the tables."""
    return counting.problems(seen.world, disturbed=True)


def steps_run_once(seen: Seen) -> list[str]:
    """A step runs as often as its attempts say, and once more for each process that died or was overtaken with it."""
    found = []
    for (run_id, name), ran in seen.world.executions.items():
        run = seen.runs[run_id]
        steps = [s for key, s in run.steps.items() if s.plan.name == name and key != FUNCTION_ENTRY]
        recorded = max((len(s.plan.attempts) + (s.status is StepStatus.COMPLETED) for s in steps), default=0)
        allowed = max(recorded, 1) + seen.world.watch.extra_allowed[run_id, name]
        if ran > allowed:
            found.append(f"step {name} of {_name(run)} ran {ran} times, {allowed} allowed")
    return found


def timelines_are_in_order(seen: Seen) -> list[str]:
    """A run is created, begins at most once and ends once; each of its steps ends after it began, once."""
    found = []
    for run in seen.runs.values():
        types = [entry["type"] for entry in timeline(run)]
        ends = [text for text in types if text in ("run.completed", "run.failed", "run.cancelled")]
        if types.count("run.created") != 1 or types.count("run.started") > 1 or len(ends) != 1:
            found.append(f"timeline of {_name(run)}: {types}")
        for key, step in run.steps.items():
            if step.outcome is None or step.plan.copied or key == FUNCTION_ENTRY:
                continue
            if step.outcome.ended_at_ms + SKEW_MS < step.plan.started_at_ms:
                found.append(f"step {step.plan.name} of {_name(run)} ended before it began")
            if step.outcome.ended_at_ms + SKEW_MS < run.head.seed.created_at_ms:
                found.append(f"step {step.plan.name} of {_name(run)} ended before its run was there")
    return found


def invocations_are_answered(seen: Seen) -> list[str]:
    """A step that invoked has the end of the run that it invoked, unless its time had run out before."""
    found = []
    for run in seen.runs.values():
        for step in run.steps.values():
            callee = seen.runs.get(step.plan.invoked_run or "")
            if step.plan.kind is not StepKind.INVOKE or step.outcome is None or callee is None:
                continue
            cause, ending = step.outcome.cause, callee.head.ending
            if cause is None or cause.id != callee.head.run_id or ending is None:
                continue
            failed = ending.status is not RunStatus.COMPLETED
            if failed != (step.outcome.error is not None) or (not failed and step.outcome.output != ending.output):
                found.append(f"step {step.plan.name} of {_name(run)} has {step.outcome}, its run {ending}")
    return found


def dead_letters_had_their_deliveries(seen: Seen) -> list[str]:
    """Only a message whose deliveries were used up, by faults, is among the dead letters."""
    monitor = seen.world.monitor
    return [
        f"a dead letter of {monitor.deliveries[body]} deliveries, {monitor.disturbed[body]} disturbed: {body[:150]}"
        for body in seen.world.buried
        if monitor.deliveries[body] < _MOST_RECEIVES or not monitor.disturbed[body]
    ] + [f"dead letter left: {message.body[:150]}" for message in seen.world.emulator.messages(*DEAD)]


def only_what_was_disturbed_fails(seen: Seen) -> list[str]:
    """No handler raises anything of its own, and no message comes back because of what a user did."""
    found = []
    for record, disturbed in seen.errors.records:
        if record.exc_info and record.exc_info[1] is not None:
            found.append(f"{record.getMessage()}: {record.exc_info[1]!r}")
        elif not disturbed and record.getMessage() != _BURIED:
            found.append(f"undisturbed: {record.getMessage()}: {getattr(record, 'error', '')}")
    return found


INVARIANTS: Sequence[Invariant] = (
    what_is_recorded_once_never_changes,
    all_runs_end,
    runs_end_as_they_may,
    as_in_calm_weather,
    nothing_is_left,
    ends_are_told_once,
    bulk_cancellations_end,
    nothing_is_counted_twice,
    steps_run_once,
    timelines_are_in_order,
    invocations_are_answered,
    dead_letters_had_their_deliveries,
    only_what_was_disturbed_fails,
    *of_events.INVARIANTS,
    *of_flow.INVARIANTS,
)


def broken(seen: Seen) -> list[str]:
    """What does not hold, by the names of the invariants."""
    return [
        f"{invariant.__name__.replace('_', ' ')}: {problem}" for invariant in INVARIANTS for problem in invariant(seen)
    ]
