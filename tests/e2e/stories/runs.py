"""Runs come to their end on what was deployed: the product's own examples, and functions that die."""

from __future__ import annotations

import json
import uuid
from typing import Any

from tests.e2e.waiting import until
from tests.e2e.world import World


def hello_completes(world: World) -> None:
    event_id = world.api.send("demo/hello", {"name": "Ada"})
    output = world.api.completed(event_id, "hello")
    assert output == {"greeting": "Hello, Ada!", "letters": 8, "shouted": "HELLO, ADA!"}, output


def onboarding_waits_for_its_event(world: World) -> None:
    user = uuid.uuid4().hex
    event_id = world.api.send("auth/user.created", {"user_id": user, "account_id": user, "email": "ada@example.com"})
    run = world.api.run_of(event_id, "onboarding")
    _waits(world, run["run_id"], "first-function")
    world.api.send("app/function.created", {"user_id": "another"})
    world.api.send("app/function.created", {"user_id": user})
    assert world.api.completed(event_id, "onboarding") == "active"
    assert world.api.ended(_cancelled_trial(world, event_id, user))["status"] == "Cancelled"


def onboarding_ends_with_its_user(world: World) -> None:
    user = uuid.uuid4().hex
    event_id = world.api.send("auth/user.created", {"user_id": user, "account_id": user, "email": "ada@example.com"})
    run = world.api.run_of(event_id, "onboarding")
    _waits(world, run["run_id"], "first-function")
    world.api.send("auth/user.deleted", {"user_id": user})
    assert world.api.ended(run["run_id"])["status"] == "Cancelled"
    world.api.ended(_cancelled_trial(world, event_id, user))


def trial_is_cancelled_by_the_upgrade(world: World) -> None:
    account = uuid.uuid4().hex
    event_id = world.api.send("auth/user.created", {"user_id": account, "account_id": account, "email": "a@b.example"})
    run = world.api.run_of(event_id, "trial")
    _waits(world, run["run_id"], "trial-period")
    upgrade = world.api.send("billing/user.upgraded", {"account_id": account})
    assert world.api.ended(run["run_id"])["status"] == "Cancelled"
    effects = until("the upgrade tells of it", lambda: world.api.get(f"/v1/events/{upgrade}")["data"], 20)
    assert run["run_id"] in json.dumps(effects), effects
    world.api.send("auth/user.deleted", {"user_id": account})


def _cancelled_trial(world: World, event_id: str, account: str) -> str:
    """The trial that the same event started would sleep for a week: it is ended, too. Its run's id."""
    run_id: str = world.api.run_of(event_id, "trial")["run_id"]
    world.api.send("billing/user.upgraded", {"account_id": account})
    return run_id


def _waits(world: World, run_id: str, step: str) -> None:
    """Until the run has come to this step."""
    until(f"run {run_id} comes to {step}", lambda: step in json.dumps(world.api.timeline(run_id)), 120)


def a_killed_handler_recovers(world: World) -> None:
    event_id = world.api.send("e2e/killed", {"folder": str(world.ground.marks)})
    output = world.api.completed(event_id, "e2e-killed", within_s=200)
    # The step before was done once, whatever became of the process; the one that died was done again.
    assert output == {"before": 1, "times": 2}, output
    assert world.marks("killed-before") == 1


def a_killed_parallel_step_recovers_alone(world: World) -> None:
    event_id = world.api.send("e2e/killed-side-by-side", {"folder": str(world.ground.marks)})
    assert world.api.completed(event_id, "e2e-killed-side-by-side", within_s=200) == [1, 2]
    assert (world.marks("beside-live"), world.marks("beside-die")) == (1, 2)


def the_schedule_fires(world: World) -> None:
    """The deployed rule calls on_tick every minute, which starts the scheduled function in time."""

    def look() -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = world.api.get("/v1/runs", function_id="e2e-scheduled")["data"]
        return [run for run in runs if run["status"] == "Completed"]

    run = until("a scheduled run completes", look, within_s=200)[0]
    assert run["output"] == "inngest/scheduled.timer", run


def a_large_payload_travels(world: World) -> None:
    text = "päyload " * 40_000
    event_id = world.api.send("e2e/echo", {"text": text})
    output = world.api.completed(event_id, "e2e-echo")
    assert output["data"] == {"text": text}


def the_bus_is_a_second_entrance(world: World) -> None:
    mark = uuid.uuid4().hex
    events = world.ground.client("events")
    entry = {"Source": "e2e", "DetailType": "e2e/echo", "EventBusName": f"stepwell-{world.stage}"}
    # What we put on the bus ourselves must not come back in.
    events.put_events(Entries=[{**entry, "Source": "stepwell", "Detail": json.dumps({"mark": f"not-{mark}"})}])
    events.put_events(Entries=[{**entry, "Detail": json.dumps({"mark": mark})}])

    def look() -> list[str]:
        runs = world.api.get("/v1/runs", function_id="e2e-echo", limit="50")["data"]
        return [text for run in runs if mark in (text := json.dumps(run.get("output")))]

    found = until("the event from the bus starts a run", look, 120)
    assert f"not-{mark}" not in "".join(found)


def a_wait_looks_back(world: World) -> None:
    """At an event that came before the run waited for it."""
    number = uuid.uuid4().hex
    event_id = world.api.send("e2e/looks-back", {"id": number})
    run = world.api.run_of(event_id, "e2e-looks-back")
    world.api.send("e2e/early", {"id": "another", "n": 1})
    world.api.send("e2e/early", {"id": number, "n": 2})
    _waits(world, run["run_id"], "meanwhile")
    assert world.api.completed(event_id, "e2e-looks-back") == [2]


def the_package_is_whole(world: World) -> None:
    """All of the above ran with what the package holds and what Lambda's runtime brings: nothing of this machine's
    helped."""
    event_id = world.api.send("e2e/strangers", {})
    strangers = world.api.completed(event_id, "e2e-strangers")
    assert strangers == [], f"within reach: {strangers}"
