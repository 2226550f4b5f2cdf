"""Invariants of events: what they start, resume and cancel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from chalicelib.core.functions import EventTrigger
from chalicelib.core.joining import JoinKind
from chalicelib.core.matching import condition_holds, event_name_matches, plan_wait, trigger_matches
from chalicelib.core.records import EventRecord
from chalicelib.core.runs import Run
from chalicelib.core.steps import CauseKind, StepKind, StepRecord
from tests.faults.storms.seen import LATE_MS, SKEW_MS, Seen


def every_event_is_recorded(seen: Seen) -> list[str]:
    """What a sender was told is accepted has its record."""
    return [f"event {event_id} is lost" for event_id in set(seen.world.accepted) - seen.records.keys()]


def events_meet_each_function_once(seen: Seen) -> list[str]:
    """An event's record has one decision for each function that it triggers, and none for another."""
    own = {config.id: config for config in seen.configs.values() if config.app_id in (None, "app", "")}
    found = []
    for record in seen.of_users():
        met = Counter(start.fn_id for start in record.starts if start.fn_id in own)
        wanted = Counter(fn_id for fn_id, config in own.items() if any(_triggers(t, record) for t in config.triggers))
        if met != wanted and record.invoker is None:
            found.append(f"event {record.event.name} met {dict(met)}, not {dict(wanted)}")
    return found


def _triggers(trigger: object, record: EventRecord) -> bool:
    if not isinstance(trigger, EventTrigger) or not event_name_matches(trigger.event, record.event.name):
        return False
    return trigger_matches(trigger.expression, record.event.payload())[0]


def starts_are_runs_and_runs_are_started(seen: Seen) -> list[str]:
    """Each run that a record or a closed batch says is there is there, and no other is."""
    wanted = {start.run_id: start.fn_id for r in seen.records.values() for start in r.starts if start.is_live}
    joined = {join.run_id for join in seen.joins}
    found = [
        f"the run of {fn_id} that an event started is missing"
        for run_id, fn_id in wanted.items()
        if run_id not in seen.runs
    ]
    found += [f"the run {run_id} that events joined is missing" for run_id in joined - seen.runs.keys()]
    for run_id, run in seen.runs.items():
        seed = run.head.seed
        known = run_id in joined or wanted.get(run_id) == seed.fn_id or seed.original_run_id is not None
        if not known and seen.configs.get(seed.fn_id) is not None:
            found.append(f"nobody started the run {run_id} of {seed.fn_id}")
    return found


def events_join_once(seen: Seen) -> list[str]:
    """Each event is in exactly one batch or debounce of each function that gathers; a batch has what joined it, a
    debounce the newest."""
    found = []
    wanted = Counter(id for id, r in seen.records.items() for start in r.starts if start.join is not None)
    joined = Counter(join.event_id for join in seen.joins)
    if wanted != joined:
        found.append(f"events joined {dict(joined)}, not {dict(wanted)}")
    for run_id in {join.run_id for join in seen.joins} & seen.runs.keys():
        run = seen.runs[run_id]
        gathered, ids = run.head.seed.gathered, sorted(j.event_id for j in seen.joins if j.run_id == run_id)
        if gathered is None or gathered.count != len(ids):
            found.append(f"{len(ids)} events joined a run of {gathered}")
        elif gathered.kind is JoinKind.BATCH and sorted(e.internal_id for e in run.events) != ids:
            found.append(f"a batch has other events than joined it: {run_id}")
        elif gathered.kind is JoinKind.DEBOUNCE:
            newest = max((seen.records[id].event for id in ids), key=lambda event: (event.ts, event.internal_id))
            if run.event.internal_id != newest.internal_id:
                found.append(f"a debounce has not the newest event: {run_id}")
    return found


def ids_start_once(seen: Seen) -> list[str]:
    """Of the events of one id, one starts a function within a day."""
    starts = Counter(
        (start.fn_id, r.event.id) for r in seen.of_users() for start in r.starts if start.is_live and r.event.id
    )
    return [f"id {user_id} started {fn_id} {n} times" for (fn_id, user_id), n in starts.items() if n > 1]


def markers_agree_with_runs(seen: Seen) -> list[str]:
    """What an event's audit says it resumed and cancelled is what runs say ended them and their waits, both ways."""
    audit: set[tuple[str | None, str, str | None]] = {(e.event_id, e.run_id, e.step_id) for e in seen.effects}
    told: set[tuple[str | None, str, str | None]] = set()
    overtaken: set[tuple[str | None, str, str | None]] = set()
    for run_id, run in seen.runs.items():
        ending = run.head.ending
        if ending is not None and ending.cause is not None and ending.cause.kind is CauseKind.EVENT:
            told.add((ending.cause.id, run_id, None))
        elif ending is not None and ending.cause is not None and ending.cause.kind is CauseKind.SINGLETON:
            # Its audit is that of the event whose run has the place instead, unless it gave way by itself.
            overtaken.add((seen.runs[ending.cause.id or ""].head.seed.event_id, run_id, None))
        for step_id, step in run.steps.items():
            cause = None if step.outcome is None or step.plan.copied else step.outcome.cause
            if cause is not None and cause.kind is CauseKind.EVENT:
                told.add((cause.id, run_id, step_id))
    return [f"only the audit says {key}" for key in audit - told - overtaken] + [
        f"the audit lacks {key}" for key in told - audit
    ]


def no_event_resumes_two_waits_in_turn(seen: Seen) -> list[str]:
    """An event that ended a wait ends no wait that began after that."""
    found = []
    for run in seen.runs.values():
        for step in _ended_by_event(run):
            for other in _ended_by_event(run):
                same = step.outcome.cause.id == other.outcome.cause.id  # type: ignore[union-attr]
                if same and step.outcome.ended_at_ms + SKEW_MS < other.plan.started_at_ms:  # type: ignore[union-attr]
                    found.append(f"{step.plan.name} and {other.plan.name} of {run.head.run_id} by the same event")
    return found


def _ended_by_event(run: Run) -> list[StepRecord]:
    waits = [step for step in run.steps.values() if step.plan.kind is StepKind.WAIT and step.outcome is not None]
    return [s for s in waits if s.outcome and s.outcome.cause and s.outcome.cause.kind is CauseKind.EVENT]


def no_wake_up_is_lost(seen: Seen) -> list[str]:
    """An event that met a wait, was accepted after it was registered and well before it or its run ended otherwise,
    ended it."""
    found = []
    for run, step, until_ms in _unmet_waits(seen):
        resumed = {e.event_id for e in seen.effects if e.run_id == run.head.run_id}
        for record in seen.records.values():
            at_ms = record.event.received_at_ms
            if (
                not step.plan.started_at_ms + SKEW_MS < at_ms < until_ms - LATE_MS
                or record.event.internal_id in resumed
            ):
                continue
            if any(_meets(a.event, a.if_exp, run, record) for a in step.plan.awaited):
                name = f"{step.plan.name} of {run.head.seed.fn_id} {run.head.run_id[-6:]}"
                found.append(f"{name} was not resumed by {record.event.name} {record.event.internal_id}")
    return found


def _unmet_waits(seen: Seen) -> Iterator[tuple[Run, StepRecord, int]]:
    """Waits that no event ended, and until when one could have."""
    for run in seen.runs.values():
        ended_ms = run.head.ending.ended_at_ms if run.head.ending is not None else 0
        for step in run.steps.values():
            if step.plan.kind is not StepKind.WAIT or step.plan.copied:
                continue
            if step.outcome is None:
                yield run, step, min(ended_ms, step.wake_at_ms or ended_ms)
            elif step.outcome.cause is not None and step.outcome.cause.kind is CauseKind.TIMER:
                yield run, step, step.outcome.ended_at_ms


def _meets(event: str, if_exp: str | None, run: Run, record: EventRecord) -> bool:
    if event != record.event.name:
        return False
    planned = plan_wait(event, if_exp, run.event.payload())
    return not planned.never and condition_holds(planned.condition, record.event.payload()).value is True


def no_cancellation_is_lost(seen: Seen) -> list[str]:
    """A run whose cancelling event was accepted after its own has not gone on for long after that."""
    found = []
    for run in seen.runs.values():
        config, ending = seen.configs.get(run.head.seed.fn_id), run.head.ending
        if config is None or ending is None:
            continue
        from_ms, until_ms = run.head.seed.from_us // 1000 + SKEW_MS, ending.ended_at_ms - LATE_MS
        in_time = [r for r in seen.records.values() if from_ms < r.event.received_at_ms < until_ms]
        found += [
            f"{run.head.seed.fn_id} {run.head.run_id} was not cancelled by {record.event.name}"
            for cancel in config.cancel
            for record in in_time
            if _meets(cancel.event, cancel.if_exp, run, record)
        ]
    return found


INVARIANTS: Sequence[Callable[[Seen], list[str]]] = (
    every_event_is_recorded,
    events_meet_each_function_once,
    starts_are_runs_and_runs_are_started,
    events_join_once,
    ids_start_once,
    markers_agree_with_runs,
    no_event_resumes_two_waits_in_turn,
    no_wake_up_is_lost,
    no_cancellation_is_lost,
)
