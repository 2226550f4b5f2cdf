"""A run that an event cancels."""

from __future__ import annotations

from datetime import timedelta

import inngest

from tests.sdk.python.app import Stories


def _cancel(app: Stories) -> list[inngest.Cancel]:
    return [inngest.Cancel(event=app.on("called-off").event, if_exp="async.data.key == event.data.key")]


def define(app: Stories) -> None:
    @app.function("cancelling", cancel=_cancel(app))
    def cancelling(ctx: inngest.ContextSync) -> object:
        ctx.step.run("before", lambda: app.ran(ctx, "before"))
        ctx.step.wait_for_event("never", event=app.on("never").event, timeout=timedelta(days=300))
        ctx.step.run("after", lambda: app.ran(ctx, "after"))
        return None


def define_async(app: Stories) -> None:
    @app.function("cancelling", cancel=_cancel(app))
    async def cancelling(ctx: inngest.Context) -> object:
        async def before() -> None:
            app.ran(ctx, "before")

        async def after() -> None:
            app.ran(ctx, "after")

        await ctx.step.run("before", before)
        await ctx.step.wait_for_event("never", event=app.on("never").event, timeout=timedelta(days=300))
        await ctx.step.run("after", after)
        return None
