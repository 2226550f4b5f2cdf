"""A function for each way to say how many runs start, and when; `paused` says nothing, the API does."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import inngest

from tests.sdk.python.app import Stories

HOUR = timedelta(hours=1)
# Each test has its own places and limits.
KEY = "event.data.key"


def _released(app: Stories, ctx: inngest.Context | inngest.ContextSync) -> bool:
    return "released" in app.record.of(str(ctx.event.data["key"]))


def _ways() -> dict[str, dict[str, Any]]:
    return {
        "throttled": {"throttle": inngest.Throttle(limit=1, period=HOUR, key=KEY)},
        "rated": {"rate_limit": inngest.RateLimit(limit=1, period=HOUR, key=KEY)},
        "once": {"idempotency": KEY},
        "debounced": {"debounce": inngest.Debounce(period=timedelta(seconds=4), key=KEY)},
        "single": {"singleton": inngest.Singleton(mode="skip", key=KEY)},
        "newest": {"singleton": inngest.Singleton(mode="cancel", key=KEY)},
        "hurried": {"timeouts": inngest.Timeouts(finish=HOUR)},
        "paused": {},
        "batched": {"batch_events": inngest.Batch(max_size=3, timeout=timedelta(seconds=30), key=KEY)},
    }


# These go on when they are told to.
WAITING = ("single", "newest", "hurried")
ONE_AT_A_TIME: dict[str, Any] = {
    "concurrency": [inngest.Concurrency(limit=1, key=KEY)],
    "priority": inngest.Priority(run="event.data.priority"),
}


def _define(app: Stories, name: str, options: dict[str, Any]) -> None:
    @app.function(name, **options)
    def way(ctx: inngest.ContextSync) -> object:
        if name in WAITING:
            ctx.step.wait_for_event("go", event=app.on("go-on").event, timeout=timedelta(days=30))
        numbers = [event.data["n"] for event in ctx.events]
        ctx.step.run("step", lambda: app.ran(ctx, f"{name} {numbers}"))
        return numbers


def _define_async(app: Stories, name: str, options: dict[str, Any]) -> None:
    @app.function(name, **options)
    async def way(ctx: inngest.Context) -> object:
        if name in WAITING:
            await ctx.step.wait_for_event("go", event=app.on("go-on").event, timeout=timedelta(days=30))
        numbers = [event.data["n"] for event in ctx.events]

        async def step() -> None:
            app.ran(ctx, f"{name} {numbers}")

        await ctx.step.run("step", step)
        return numbers


def define(app: Stories) -> None:
    for name, options in _ways().items():
        _define(app, name, options)

    @app.function("one-at-a-time", **ONE_AT_A_TIME)
    def one_at_a_time(ctx: inngest.ContextSync) -> object:
        def step() -> None:
            app.ran(ctx, f"in {ctx.event.data['n']}")
            while not _released(app, ctx):
                time.sleep(0.01)

        ctx.step.run("step", step)
        return ctx.event.data["n"]

    @app.function("release")
    def release(ctx: inngest.ContextSync) -> None:
        app.ran(ctx, "released")


def define_async(app: Stories) -> None:
    for name, options in _ways().items():
        _define_async(app, name, options)

    @app.function("one-at-a-time", **ONE_AT_A_TIME)
    async def one_at_a_time(ctx: inngest.Context) -> object:
        async def step() -> None:
            app.ran(ctx, f"in {ctx.event.data['n']}")
            while not _released(app, ctx):
                await asyncio.sleep(0.01)

        await ctx.step.run("step", step)
        return ctx.event.data["n"]

    @app.function("release")
    async def release(ctx: inngest.Context) -> None:
        app.ran(ctx, "released")
