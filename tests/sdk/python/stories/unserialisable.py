"""A step and a function that return what cannot be written down."""

from __future__ import annotations

from typing import Any

import inngest

from tests.sdk.python.app import Stories


def define(app: Stories) -> None:
    @app.function("unserialisable-step")
    def step(ctx: inngest.ContextSync) -> object:
        def odd() -> Any:
            app.ran(ctx, "step")
            return object()

        return ctx.step.run("odd", odd)

    @app.function("unserialisable")
    def output(ctx: inngest.ContextSync) -> object:
        app.ran(ctx, "body")
        return object()


def define_async(app: Stories) -> None:
    @app.function("unserialisable-step")
    async def step(ctx: inngest.Context) -> object:
        async def odd() -> Any:
            app.ran(ctx, "step")
            return object()

        return await ctx.step.run("odd", odd)

    @app.function("unserialisable")
    async def output(ctx: inngest.Context) -> object:
        app.ran(ctx, "body")
        return object()
