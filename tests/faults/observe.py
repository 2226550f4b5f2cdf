"""What a finished scenario looks like, times and ids aside; and what must hold of any finished scenario."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from chalicelib.core import events
from chalicelib.core.apps import App
from chalicelib.core.runs import Run
from chalicelib.core.steps import FUNCTION_ENTRY, StepRecord
from chalicelib.engine import lifecycle
from tests.faults.emulator import DEAD
from tests.faults.world import World

Picture = dict[str, list[str]]
_ID = re.compile(r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b")
_TIME = re.compile(r"\b[0-9-]{10}T[0-9:.]+Z\b")


def picture(world: World, inert: frozenset[str] = frozenset()) -> Picture:
    """Runs with their steps (but the inert ones), events with what they caused, and apps, as texts in order."""
    runs = load_runs(world)
    return {
        "runs": sorted(_run_text(run, inert) for run in runs.values()),
        "events": sorted(_event_texts(world, runs)),
        "apps": sorted(_app_text(app) for app in world.platform.room.apps.all()),
    }


def _app_text(app: App) -> str:
    retired = sorted(one.config.id for one in app.retired)
    return repr((app.id, [config.id for config in app.functions], retired, app.removed_at_ms is not None))


def load_runs(world: World) -> dict[str, Run]:
    """Every run there is."""
    found = {}
    for row in world.emulator.rows("runs"):
        if row["sk"] == "0":
            run = world.platform.services.runs.load(row["pk"])
            assert run is not None, f"run {row['pk']} cannot be loaded"
            found[row["pk"]] = run
    return found


def _run_text(run: Run, inert: frozenset[str]) -> str:
    ending, gathered = run.head.ending, run.head.seed.gathered
    body: dict[str, Any] = {
        "function": run.head.seed.fn_id,
        "trigger": [[event.name, _plain(event.data)] for event in run.events],
        "gathered": None if gathered is None else [gathered.kind.value, gathered.count],
        "status": run.head.status.value,
        "settled": run.head.settled,
        "begun": run.head.begun_at_ms is not None,
        "warnings": list(run.head.seed.warnings),
        "steps": {step.plan.name: _step(step) for step in _by_name(run) if step.plan.name not in inert},
    }
    if ending is not None:
        body["output"] = _plain(ending.output)
        body["error"] = None if ending.error is None else [ending.error.name, ending.error.message]
        body["cause"] = None if ending.cause is None else [ending.cause.kind.value, ending.cause.name]
        body["end warnings"] = list(ending.warnings)
    return repr(body)


def _by_name(run: Run) -> list[StepRecord]:
    real = [step for key, step in run.steps.items() if key != FUNCTION_ENTRY]
    return sorted(real, key=lambda step: step.plan.name)


def _step(step: StepRecord) -> list[Any]:
    outcome = step.outcome
    if outcome is None:
        return [step.status.value]
    cause = None if outcome.cause is None else [outcome.cause.kind.value, outcome.cause.name]
    error = None if outcome.error is None else [outcome.error.name, _plain(outcome.error.message)]
    return [step.status.value, _plain(outcome.output), error, cause]


def _plain(value: Any) -> Any:
    """Without ids and times, and cut short."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key not in ("ts", "stack")}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return _TIME.sub("<time>", _ID.sub("<id>", value))[:200]
    return value


def _event_texts(world: World, runs: dict[str, Run]) -> list[str]:
    rows = world.emulator.rows("events")
    names, texts = {}, []
    for row in rows:
        if "record" not in row and "record_at" not in row:
            continue
        record = world.platform.services.events.get(row["sk"])
        assert record is not None
        names[row["sk"]] = record.event.name
        starts = sorted(
            (
                start.fn_id,
                start.duplicate_of is not None,
                start.problem,
                _plain(start.skipped or ""),
                start.notes,
            )
            for start in record.starts
        )
        texts.append(repr((record.event.name, _plain(record.event.data), starts, record.cron)))
    for row in rows:
        if "end" in row:
            continue  # Where a page of matches ended: kept only to save work.
        event_id, *rest = row["sk"].split("#")
        if event_id == "times":
            texts.append(repr((names[rest[0]], "its times are kept")))
        elif "joined" in row:
            run = runs[json.loads(row["joined"])["run_id"]]
            texts.append(repr((names[event_id], "joined", run.head.seed.fn_id)))
        elif rest:
            run = runs[rest[1]]
            step = run.steps[row["step"]].plan.name if "step" in row else None
            texts.append(repr((names[event_id], rest[0], run.head.seed.fn_id, step)))
    return texts


def problems(world: World, *, open_runs: int = 0) -> list[str]:
    """What must not be, whatever happened."""
    runs = load_runs(world)
    found = list(world.watch.violations)
    found += left_over(world, runs) + dead_letters(world)
    found += unsettled(runs, open_runs)
    return found + untold_ends(world, runs) + unfinished_cancellations(world, runs)


def unsettled(runs: dict[str, Run], open_runs: int = 0) -> list[str]:
    """Runs that have not ended, or whose end was not settled; none holds a lease at rest."""
    still_open = [run.head for run in runs.values() if not run.head.settled]
    found = []
    if len(still_open) != open_runs:
        states = [f"{head.seed.fn_id}: {head.status}" for head in still_open]
        found.append(f"{len(still_open)} runs are not settled, {open_runs} expected: {states}")
    return found + [f"run {head.run_id} holds a lease at rest" for head in still_open if head.owner is not None]


def unfinished_cancellations(world: World, runs: dict[str, Run]) -> list[str]:
    """Bulk cancellations that have not come to their end, or have not counted each run that they cancelled once."""
    states = world.platform.services.cancellations.page(before=None, limit=100)
    causes = [run.head.ending.cause for run in runs.values() if run.head.ending is not None]
    found = []
    for state in states:
        cancelled = sum(cause is not None and cause.id == state.job.id for cause in causes)
        if not state.is_over or state.progress.cancelled != cancelled:
            found.append(f"a bulk cancellation that cancelled {cancelled} runs stands at {state.progress}")
    return found


def dead_letters(world: World) -> list[str]:
    return [f"dead letter: {m.body[:200]}" for m in world.emulator.messages(*DEAD)]


def left_over(world: World, runs: dict[str, Run]) -> list[str]:
    """Messages, and rows that belong to runs that have ended."""
    found = [f"message left in a queue: {m.body[:200]}" for m in world.emulator.messages()]
    live = {run_id for run_id, run in runs.items() if run.head.ending is None}
    for row in world.emulator.rows("pauses"):
        if "pause" in row and json.loads(row["pause"])["run_id"] not in live:
            found.append(f"pause left: {row['pk']} {row['sk']}")
        if "wait" in row and json.loads(row["wait"])["run_id"] not in live:
            found.append(f"signal left: {row['wait']}")
    for row in world.emulator.rows("timers"):
        if "message" in row and row["sk"].split("#")[1] not in live:
            found.append(f"timer left: {row['sk']}")
    for row in world.emulator.rows("limits"):
        if row["sk"].startswith(("slot#", "wait#", "closed")) or "due_ms" in row.get("cell", ""):
            found.append(f"left under a limit: {row['pk']} {row['sk']}")
    for row in world.emulator.rows("runs"):
        if "open_pk" in row and row["pk"] not in live:
            found.append(f"open key left on run {row['pk']}")
    return found


def untold_ends(world: World, runs: dict[str, Run]) -> list[str]:
    """The end of each run is told by each of its events exactly once, or here is what is."""
    told: Counter[tuple[str, str]] = Counter()
    for row in world.emulator.rows("events"):
        if "record" in row and '"from_run"' in row["record"]:
            record = world.platform.services.events.get(row["sk"])
            assert record is not None
            assert record.from_run is not None
            told[record.from_run, record.event.name] += 1
    wanted = Counter((run_id, name) for run_id, run in runs.items() for name in lifecycle.names_for(run.head))
    assert all(name in events.LIFECYCLE for _, name in wanted)
    return [] if told == wanted else [f"lifecycle events: told {dict(told)}, wanted {dict(wanted)}"]


def execution_problems(world: World, undisturbed: World) -> list[str]:
    """Steps that ran oftener than undisturbed, beyond the one whose end was not recorded when its process died."""
    allowed = _by_step(undisturbed.executions) + _by_step(world.watch.extra_allowed)
    ran = _by_step(world.executions)
    return [
        f"step {name!r} ran {ran[name]} times, {allowed[name]} allowed"
        for name in ran.keys() | allowed.keys()
        if ran[name] > allowed[name] or ran[name] < _by_step(undisturbed.executions)[name]
    ]


def _by_step(counts: Counter[tuple[str, str]]) -> Counter[str]:
    """By name alone: a scenario's steps have names of their own, and an event that was sent again starts another
    run of the same."""
    total: Counter[str] = Counter()
    for (_run, name), count in counts.items():
        total[name] += count
    return total
