"""Functions that only the end-to-end tests deploy. They leave marks in a folder of the test machine, so that the tests
see what was really done, and how often, whatever the platform remembers of it."""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path

from chalicelib.sdk import Context, TriggerCron, TriggerEvent, function


def leave_mark(folder: str, name: str) -> int:
    """One more mark of this name; how many there are."""
    with (Path(folder) / name).open("a") as marks:
        marks.write(f"{os.getpid()}\n")
    return len((Path(folder) / name).read_text().splitlines())


def die_at_first(folder: str, name: str) -> int:
    """The process is killed in the middle of this step, the first time."""
    times = leave_mark(folder, name)
    if times == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return times


@function(fn_id="e2e-killed", trigger=TriggerEvent(event="e2e/killed"))
def killed(ctx: Context) -> dict[str, int]:
    folder = ctx.event.data["folder"]
    before = ctx.step.run("before", leave_mark, folder, "killed-before")
    times = ctx.step.run("die", die_at_first, folder, "killed-die")
    return {"before": before, "times": times}


@function(fn_id="e2e-killed-side-by-side", trigger=TriggerEvent(event="e2e/killed-side-by-side"))
def killed_side_by_side(ctx: Context) -> list[int]:
    folder = ctx.event.data["folder"]
    left, right = ctx.group.parallel(
        (
            lambda: ctx.step.run("live", leave_mark, folder, "beside-live"),
            lambda: ctx.step.run("die", die_at_first, folder, "beside-die"),
        )
    )
    return [left, right]


@function(fn_id="e2e-echo", trigger=TriggerEvent(event="e2e/echo"))
def echo(ctx: Context) -> dict[str, object]:
    return {"data": ctx.step.run("echo", dict, ctx.event.data), "pid": ctx.step.run("pid", os.getpid)}


@function(fn_id="e2e-scheduled", trigger=TriggerCron(cron="* * * * *"))
def scheduled(ctx: Context) -> str:
    return ctx.step.run("name", str, ctx.event.name)


def strangers() -> list[str]:
    """What this process could import of the test machine, though it is not in the package."""
    return [name for name in ("chalice.cli", "ministack", "moto", "pytest") if _is_there(name)]


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@function(fn_id="e2e-strangers", trigger=TriggerEvent(event="e2e/strangers"))
def find_strangers(ctx: Context) -> list[str]:
    return ctx.step.run("find", strangers)


@function(fn_id="e2e-looks-back", trigger=TriggerEvent(event="e2e/looks-back"))
def looks_back(ctx: Context) -> list[object]:
    """Waits for what came while it slept."""
    ctx.step.sleep("meanwhile", "4s")
    same = "async.data.id == event.data.id"
    found = ctx.step.wait_for_event("before", event="e2e/early", if_exp=same, timeout="1m", lookback="run")
    return [None if found is None else found.data["n"]]
