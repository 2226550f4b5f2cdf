"""A handler that is called when a function has failed for good; it has steps of its own."""

from __future__ import annotations

import inngest

from tests.sdk.python.app import Stories


def define(app: Stories) -> None:
    def clean_up(ctx: inngest.ContextSync) -> object:
        error, failed = ctx.event.data["error"], ctx.event.data["event"]
        assert isinstance(error, dict)
        assert isinstance(failed, dict)
        ctx.step.run("tell", lambda: app.record.add(failed["data"]["key"], f"handler: {error['message']}"))
        return None

    @app.function("on_failure", on_failure=clean_up, retries=1)
    def on_failure(ctx: inngest.ContextSync) -> object:
        app.ran(ctx, "main")
        raise ValueError("it broke")


def define_async(app: Stories) -> None:
    async def clean_up(ctx: inngest.Context) -> object:
        error, failed = ctx.event.data["error"], ctx.event.data["event"]
        assert isinstance(error, dict)
        assert isinstance(failed, dict)

        async def tell() -> None:
            app.record.add(failed["data"]["key"], f"handler: {error['message']}")

        await ctx.step.run("tell", tell)
        return None

    @app.function("on_failure", on_failure=clean_up, retries=1)
    async def on_failure(ctx: inngest.Context) -> object:
        app.ran(ctx, "main")
        raise ValueError("it broke")
