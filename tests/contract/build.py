"""Values for the contract tests, with everything that a test does not care about filled in."""

from __future__ import annotations

from typing import Any

from chalicelib.core.calls import ErrorInfo
from chalicelib.core.events import Event
from chalicelib.core.ids import event_id, hashed_step_id
from chalicelib.core.pauses import Pause, PauseKind
from chalicelib.core.records import Effect, EffectKind, EventRecord
from chalicelib.core.runs import Ending, Owner, RunHead, RunSeed, RunStatus
from chalicelib.core.steps import (
    Attempt,
    Cause,
    CauseKind,
    PauseKey,
    StepKind,
    StepOutcome,
    StepPlan,
    StepRecord,
    StepStatus,
)
from chalicelib.engine.index import Place
from tests.contract.conftest import NOW_MS, World

LATER_MS = NOW_MS + 60_000
STEP = hashed_step_id("a-step", 0)
OTHER_STEP = hashed_step_id("another-step", 0)
ERROR = ErrorInfo(name="ValueError", message="no")
LARGE = "ä" * 40_000


def owner(message: str = "m1", nonce: str = "n1") -> Owner:
    return Owner(message_id=message, nonce=nonce)


def event(world: World, name: str | None = None, *, at_ms: int = NOW_MS, data: Any = None, number: int = 0) -> Event:
    """An event whose id was made when it was accepted."""
    chosen = name or world.name()
    made = event_id(at_ms, chosen, world.new().encode()[-8:])
    return Event(
        internal_id=made, received_at_us=at_ms * 1000 + number, id=made, name=chosen, data=data or {}, ts=at_ms
    )


def record(of: Event, **fields: Any) -> EventRecord:
    return EventRecord(event=of, processed_at_ms=NOW_MS, **fields)


def seed(world: World, **fields: Any) -> RunSeed:
    known = {
        "run_id": world.new(),
        "fn_id": "fn",
        "event_id": world.new(),
        "event_name": "demo/started",
        "trigger_received_at_us": NOW_MS * 1000,
        "created_at_ms": NOW_MS,
    }
    return RunSeed.model_validate(known | fields)


def run(world: World, *, leased: Owner | None = None, **fields: Any) -> str:
    """A new run, stored, with a lease until a minute from now if it is to have one."""
    new = seed(world, **fields)
    world.room.runs.create(new, event(world, new.event_name), ())
    if leased is not None:
        world.room.runs.take_lease(new.run_id, leased, until_ms=LATER_MS, now_ms=NOW_MS)
    return new.run_id


def head(world: World, run_id: str) -> RunHead:
    found = world.room.runs.head(run_id)
    assert found is not None
    return found


def plan(**fields: Any) -> StepPlan:
    return StepPlan.model_validate({"name": "a-step", "kind": StepKind.RUN, "started_at_ms": NOW_MS} | fields)


def outcome(output: Any = "done", **fields: Any) -> StepOutcome:
    return StepOutcome.model_validate({"ended_at_ms": NOW_MS + 5, "output": output} | fields)


def completed(output: Any = "done", step_id: str = STEP) -> StepRecord:
    return StepRecord(id=step_id, status=StepStatus.COMPLETED, plan=plan(), outcome=outcome(output))


def waiting(step_id: str = STEP, **fields: Any) -> StepRecord:
    wait = plan(kind=StepKind.WAIT, wait_event="demo/met", **fields)
    return StepRecord(id=step_id, status=StepStatus.WAITING, plan=wait, wake_at_ms=LATER_MS)


def retrying(failures: int, stack: str | None = None) -> StepRecord:
    error = ERROR.model_copy(update={"stack": stack})
    attempts = tuple(Attempt(started_at_ms=NOW_MS, ended_at_ms=NOW_MS + 1, error=error) for _ in range(failures))
    return StepRecord(
        id=STEP, status=StepStatus.RETRYING, plan=plan(attempts=attempts, planned=True), wake_at_ms=LATER_MS
    )


def ending(status: RunStatus = RunStatus.COMPLETED, **fields: Any) -> Ending:
    return Ending.model_validate({"status": status, "ended_at_ms": NOW_MS + 9, "output": "bye"} | fields)


def resumed(of: Event, run_id: str, step_id: str = STEP) -> Effect:
    return Effect(event_id=of.internal_id, kind=EffectKind.RESUMED, run_id=run_id, step_id=step_id, at_ms=NOW_MS)


def cancelled(of: Event, run_id: str) -> Effect:
    return Effect(event_id=of.internal_id, kind=EffectKind.CANCELLED, run_id=run_id, at_ms=NOW_MS)


def caused_by(of: Event) -> Cause:
    return Cause(kind=CauseKind.EVENT, id=of.internal_id, name=of.name)


def pause(world: World, run_id: str, **fields: Any) -> Pause:
    known = {
        "key": PauseKey(key=f"index-{world.new()}", row=f"{run_id}#{STEP}#0"),
        "kind": PauseKind.WAIT,
        "run_id": run_id,
        "fn_id": "fn",
        "event_name": "demo/met",
        "shape": ("data.id",),
        "step_id": STEP,
        "trigger_event_id": world.new(),
        "accept_after_us": NOW_MS * 1000,
        "accept_until_ms": LATER_MS,
    }
    return Pause.model_validate(known | fields)


def effects(world: World, event_id: str) -> list[Effect]:
    """All that an event resumed and cancelled."""
    return [
        effect
        for kind in (EffectKind.CANCELLED, EffectKind.RESUMED)
        for effect in world.room.events.effects(event_id, kind, limit=1_000)[0]
    ]


def rows(world: World, key: str, page: int = 100) -> list[Pause]:
    """All that lies under a key of the index, page by page."""
    found: list[Pause] = []
    place = Place(key)
    while True:
        (read,) = world.room.pauses.pages([place], page)
        assert len(read.rows) <= page
        found += read.rows
        if read.following is None:
            return found
        place = Place(key, read.following)
