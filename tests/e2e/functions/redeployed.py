"""The function whose code changes while runs of it are under way. The test replaces the version's text."""

from __future__ import annotations

import time
from pathlib import Path

from chalicelib.sdk import Context, TriggerEvent, function

VERSION = "one"


def version() -> str:
    return VERSION


def hold(folder: str, name: str) -> str:
    """At work until the test lets go, or for 20 seconds; the version of the code that did it."""
    with (Path(folder) / f"{name}-held").open("a") as marks:
        marks.write("begun\n")
    until = time.monotonic() + 20
    while not (Path(folder) / "let-go").exists() and time.monotonic() < until:
        time.sleep(0.1)
    return VERSION


@function(fn_id="e2e-sleeper", trigger=TriggerEvent(event="e2e/redeployed"))
def sleeper(ctx: Context) -> list[str]:
    first = ctx.step.run("first", version)
    ctx.step.sleep("while-deployed", ctx.event.data["sleep"])
    return [first, ctx.step.run("second", version)]


@function(fn_id="e2e-waiter", trigger=TriggerEvent(event="e2e/redeployed"))
def waiter(ctx: Context) -> list[str]:
    first = ctx.step.run("first", version)
    came = ctx.step.wait_for_event("go", event="e2e/go", if_exp="async.data.n == event.data.n", timeout="10m")
    return [first, ctx.step.run("second", version), "timeout" if came is None else "event"]


@function(fn_id="e2e-holder", trigger=TriggerEvent(event="e2e/held"))
def holder(ctx: Context) -> list[str]:
    held = ctx.step.run("hold", hold, ctx.event.data["folder"], ctx.event.data["name"])
    return [held, ctx.step.run("after", version)]
