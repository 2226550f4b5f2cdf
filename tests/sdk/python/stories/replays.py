"""How often the function is entered for three steps in a row."""

from __future__ import annotations

import inngest

from tests.sdk.python.app import Stories


def define(app: Stories) -> None:
    @app.function("replays")
    def replays(ctx: inngest.ContextSync) -> object:
        app.ran(ctx, "entered")
        return [ctx.step.run(f"step {n}", abs, n) for n in range(3)]


def define_async(app: Stories) -> None:
    @app.function("replays")
    async def replays(ctx: inngest.Context) -> object:
        app.ran(ctx, "entered")
        done = []
        for n in range(3):

            async def step(n: int = n) -> int:
                return n

            done.append(await ctx.step.run(f"step {n}", step))
        return done
