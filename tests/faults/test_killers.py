"""Code that kills its process whenever it runs is stopped after a few starts (DESIGN, "Progress")."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core import limits
from chalicelib.core.runs import Run, RunStatus
from chalicelib.sdk import Context, StepError, TriggerEvent, function
from tests.faults import observe
from tests.faults.conftest import MakeWorld
from tests.faults.scenarios import run, work, world_now
from tests.faults.world import World

_STARTS = limits.MAX_STARTS_WITHOUT_PROGRESS


def _kill(ctx: Context, name: str) -> None:
    work(ctx, name)
    world_now().die()


@function(fn_id="killed-in-step", trigger=TriggerEvent(event="t/kill"))
def killed_in_step(ctx: Context) -> str:
    run(ctx, "before")
    try:
        ctx.step.run("killer", _kill, ctx, "killer")
    except StepError as error:
        run(ctx, "after")
        return f"{error.name}: {error.message}"
    return "never"


@function(fn_id="killed-in-parallel", trigger=TriggerEvent(event="t/kill"))
def killed_in_parallel(ctx: Context) -> str:
    try:
        ctx.group.parallel((lambda: run(ctx, "beside"), lambda: ctx.step.run("killer", _kill, ctx, "killer")))
    except StepError as error:
        return f"{error.name}: {error.message}"
    return "never"


@function(fn_id="killed-outside", trigger=TriggerEvent(event="t/kill"))
def killed_outside(ctx: Context) -> str:
    run(ctx, "before")
    world_now().ran(ctx.run_id, "outside")
    world_now().die()
    return "never"


@function(fn_id="killed-twice", trigger=TriggerEvent(event="t/kill"))
def killed_twice(ctx: Context) -> str:
    """Less often than it is stopped: once in each step, and each step is progress."""
    for name in ("one", "two", "three", "four", "five"):
        ctx.step.run(name, _kill_once, ctx, name)
    return "done"


def _kill_once(ctx: Context, name: str) -> str:
    work(ctx, name)
    if world_now().executions[ctx.run_id, name] == 1:
        world_now().die()
    return name


def _only(world: World) -> Run:
    (found,) = observe.load_runs(world).values()
    return found


def _ran(world: World) -> dict[str, int]:
    return {name: count for (_, name), count in world.executions.items()}


def _at_rest(world: World) -> None:
    world.finish()
    assert observe.problems(world) == []


# The first turn had recorded the step before, so its death does not count.
@pytest.mark.parametrize(("fn", "starts"), [(killed_in_step, _STARTS + 1), (killed_in_parallel, _STARTS)])
def test_a_step_that_kills_its_process_fails_for_good(make_world: MakeWorld, fn: Any, starts: int) -> None:
    world = make_world(fn)
    world.send("t/kill", {})
    _at_rest(world)
    ending = _only(world).head.ending
    assert ending is not None
    assert ending.status is RunStatus.COMPLETED
    assert "exceeded time or memory" in ending.output
    assert _ran(world)["killer"] == starts
    assert {count for name, count in _ran(world).items() if name != "killer"} == {1}


def test_code_outside_of_steps_that_kills_its_process_fails_the_run(make_world: MakeWorld) -> None:
    world = make_world(killed_outside)
    world.send("t/kill", {})
    _at_rest(world)
    ending = _only(world).head.ending
    assert ending is not None
    assert ending.status is RunStatus.FAILED
    assert ending.error is not None
    assert "exceeded time or memory" in ending.error.message
    assert _ran(world)["before"] == 1
    # One start more, in which the steps that come next are asked for instead of being run.
    assert _ran(world)["outside"] <= _STARTS + 2


def test_progress_between_two_deaths_starts_the_count_anew(make_world: MakeWorld) -> None:
    world = make_world(killed_twice)
    world.send("t/kill", {})
    _at_rest(world)
    ending = _only(world).head.ending
    assert ending is not None
    assert (ending.status, ending.output) == (RunStatus.COMPLETED, "done")
    assert set(_ran(world).values()) == {2}
