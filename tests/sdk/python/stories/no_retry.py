"""Errors that are not worth another attempt."""

from __future__ import annotations

import inngest

from tests.sdk.python.app import Stories


def define(app: Stories) -> None:
    @app.function("no_retry-step", retries=4)
    def in_step(ctx: inngest.ContextSync) -> object:
        def look_up() -> None:
            app.ran(ctx, "look up")
            raise inngest.NonRetriableError("no such user")

        return ctx.step.run("look up", look_up)

    @app.function("no_retry", retries=4)
    def in_function(ctx: inngest.ContextSync) -> object:
        app.ran(ctx, "body")
        raise inngest.NonRetriableError("no such user")


def define_async(app: Stories) -> None:
    @app.function("no_retry-step", retries=4)
    async def in_step(ctx: inngest.Context) -> object:
        async def look_up() -> None:
            app.ran(ctx, "look up")
            raise inngest.NonRetriableError("no such user")

        return await ctx.step.run("look up", look_up)

    @app.function("no_retry", retries=4)
    async def in_function(ctx: inngest.Context) -> object:
        app.ran(ctx, "body")
        raise inngest.NonRetriableError("no such user")
