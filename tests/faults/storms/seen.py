"""Everything that is left of a storm, read once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.core.functions import FunctionConfig
from chalicelib.core.records import EventRecord
from chalicelib.core.runs import Run
from tests.faults import observe
from tests.faults.scenarios import Scenario
from tests.faults.storms.monitor import Errors
from tests.faults.storms.transport import StormWorld

Pictures = list[observe.Picture]
"""Of a scenario that is played by itself: when its script was over, and at the very end."""

# By so much times differ that two processes told: each clock by up to 4 s, and what they took in between.
SKEW_MS = 10_000
# After this long, what had been on its way has come, whatever was done to it.
LATE_MS = 40 * 60_000


@dataclass(frozen=True)
class Effect:
    """An event's marker: it resumed the step of a run, or cancelled the run."""

    event_id: str
    kind: str
    run_id: str
    step_id: str | None


@dataclass(frozen=True)
class Join:
    """That an event has joined what became a run."""

    event_id: str
    run_id: str


@dataclass(frozen=True)
class Seen:
    """A world at rest. `wanted`: the pictures of calm weather, where they must be the same."""

    world: StormWorld
    scenarios: Sequence[Scenario]
    runs: dict[str, Run]
    records: dict[str, EventRecord]
    effects: Sequence[Effect]
    joins: Sequence[Join]
    configs: dict[str, FunctionConfig]
    errors: Errors
    wanted: Pictures | None

    @classmethod
    def of(cls, world: StormWorld, scenarios: Sequence[Scenario], errors: Errors, wanted: Pictures | None) -> Seen:
        records, effects, joins = {}, [], []
        for row in world.emulator.rows("events"):
            event_id, *rest = row["sk"].split("#")
            if "record" in row or "record_at" in row:
                record = world.platform.services.events.get(row["sk"])
                assert record is not None
                records[event_id] = record
            elif "joined" in row:
                joins.append(Join(event_id, json.loads(row["joined"])["run_id"]))
            elif len(rest) > 1 and event_id != "times" and "end" not in row:
                effects.append(Effect(event_id, rest[0], rest[1], row.get("step")))
        configs = {config.id: config for config in world.platform.services.catalog.configs()}
        runs = observe.load_runs(world)
        return cls(world, scenarios, runs, records, effects, joins, configs, errors, wanted)

    def of_users(self) -> list[EventRecord]:
        """The events that users or steps sent."""
        return [record for record in self.records.values() if record.event.source in ("api", "step")]

    def flow(self, run: Run) -> Any:
        config = self.configs.get(run.head.seed.fn_id)
        return None if config is None else config.flow
