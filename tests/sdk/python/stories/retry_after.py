"""A step that says when to try it again."""

from __future__ import annotations

import inngest

from tests.sdk.python.app import Stories


def define(app: Stories) -> None:
    @app.function("retry_after", retries=1)
    def retry_after(ctx: inngest.ContextSync) -> object:
        def ask() -> str:
            app.ran(ctx, f"ask {ctx.attempt}")
            if ctx.attempt == 0:
                raise inngest.RetryAfterError("busy", int(str(ctx.event.data["ms"])))
            return "answered"

        return ctx.step.run("ask", ask)


def define_async(app: Stories) -> None:
    @app.function("retry_after", retries=1)
    async def retry_after(ctx: inngest.Context) -> object:
        async def ask() -> str:
            app.ran(ctx, f"ask {ctx.attempt}")
            if ctx.attempt == 0:
                raise inngest.RetryAfterError("busy", int(str(ctx.event.data["ms"])))
            return "answered"

        return await ctx.step.run("ask", ask)
