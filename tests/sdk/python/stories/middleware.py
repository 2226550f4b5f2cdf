"""Middleware that changes what comes in and what goes out, and sees each request."""

from __future__ import annotations

import inngest

from tests.sdk.python.app import Stories


def _middleware(app: Stories) -> type[inngest.MiddlewareSync]:
    class Shouting(inngest.MiddlewareSync):
        def transform_input(self, ctx: inngest.Context | inngest.ContextSync, *_: object) -> None:
            ctx.event.data = {**ctx.event.data, "added": "by middleware"}
            self.key = str(ctx.event.data["key"])

        def transform_output(self, result: inngest.TransformOutputResult) -> None:
            if result.step is not None and isinstance(result.output, str):
                result.output = result.output.upper()

        def before_response(self) -> None:
            app.record.add(self.key, "responding")

    return Shouting


def define(app: Stories) -> None:
    @app.function("middleware", middleware=[_middleware(app)])
    def middleware(ctx: inngest.ContextSync) -> object:
        return [ctx.step.run("say", lambda: "quiet"), ctx.event.data["added"]]


def define_async(app: Stories) -> None:
    @app.function("middleware", middleware=[_middleware(app)])
    async def middleware(ctx: inngest.Context) -> object:
        async def say() -> str:
            return "quiet"

        return [await ctx.step.run("say", say), ctx.event.data["added"]]
