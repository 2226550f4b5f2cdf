"""Sleeping for so long, and until then."""

from __future__ import annotations

from datetime import UTC, datetime

import inngest

from tests.sdk.python.app import Stories


def define(app: Stories) -> None:
    @app.function("sleeping")
    def sleep(ctx: inngest.ContextSync) -> object:
        ctx.step.run("before", lambda: app.ran(ctx, "before"))
        ctx.step.sleep("nap", int(str(ctx.event.data["ms"])))
        ctx.step.run("after", lambda: app.ran(ctx, "after"))
        return "slept"

    @app.function("sleeping-until")
    def until(ctx: inngest.ContextSync) -> object:
        ctx.step.run("before", lambda: app.ran(ctx, "before"))
        ctx.step.sleep_until("nap", datetime.fromtimestamp(int(str(ctx.event.data["until_ms"])) / 1000, UTC))
        ctx.step.run("after", lambda: app.ran(ctx, "after"))
        return "slept"


def define_async(app: Stories) -> None:
    @app.function("sleeping")
    async def sleep(ctx: inngest.Context) -> object:
        async def before() -> None:
            app.ran(ctx, "before")

        async def after() -> None:
            app.ran(ctx, "after")

        await ctx.step.run("before", before)
        await ctx.step.sleep("nap", int(str(ctx.event.data["ms"])))
        await ctx.step.run("after", after)
        return "slept"

    @app.function("sleeping-until")
    async def until(ctx: inngest.Context) -> object:
        async def before() -> None:
            app.ran(ctx, "before")

        async def after() -> None:
            app.ran(ctx, "after")

        await ctx.step.run("before", before)
        await ctx.step.sleep_until("nap", datetime.fromtimestamp(int(str(ctx.event.data["until_ms"])) / 1000, UTC))
        await ctx.step.run("after", after)
        return "slept"
