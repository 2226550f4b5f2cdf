"""Steps side by side: all of them, some that fail, and branches that run on by themselves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import inngest

from tests.sdk.python.app import Stories


def define(app: Stories) -> None:
    def noted(ctx: inngest.ContextSync, name: str) -> str:
        app.ran(ctx, name)
        return name

    def step(ctx: inngest.ContextSync, name: str) -> Callable[[], str]:
        return lambda: ctx.step.run(name, noted, ctx, name)

    @app.function("parallel")
    def parallel(ctx: inngest.ContextSync) -> object:
        done = ctx.group.parallel((step(ctx, "a"), step(ctx, "b"), step(ctx, "c")))
        return [*done, ctx.step.run("then", noted, ctx, "then")]

    @app.function("parallel-failing", retries=1)
    def failing(ctx: inngest.ContextSync) -> object:
        def bad() -> str:
            app.ran(ctx, "bad")
            raise ValueError("one of them broke")

        try:
            ctx.group.parallel((lambda: ctx.step.run("good", noted, ctx, "good"), lambda: ctx.step.run("bad", bad)))
        except inngest.StepError as error:
            return f"caught: {error.message}"
        return "unreachable"

    @app.function("parallel-branches")
    def branches(ctx: inngest.ContextSync) -> object:
        def quick() -> str:
            return ctx.step.run("quick 1", noted, ctx, "quick 1") + ctx.step.run("quick 2", noted, ctx, "quick 2")

        def slow() -> str:
            ctx.step.wait_for_event(
                "gate",
                event=app.on("gate").event,
                if_exp="async.data.key == event.data.key",
                timeout=timedelta(days=300),
            )
            return ctx.step.run("slow", noted, ctx, "slow")

        return ctx.group.parallel((quick, slow), parallel_mode=inngest.ParallelMode.RACE)


def define_async(app: Stories) -> None:
    async def noted(ctx: inngest.Context, name: str) -> str:
        app.ran(ctx, name)
        return name

    def step(ctx: inngest.Context, name: str) -> Callable[[], Awaitable[str]]:
        return lambda: ctx.step.run(name, noted, ctx, name)

    @app.function("parallel")
    async def parallel(ctx: inngest.Context) -> object:
        done = await ctx.group.parallel((step(ctx, "a"), step(ctx, "b"), step(ctx, "c")))
        return [*done, await ctx.step.run("then", noted, ctx, "then")]

    @app.function("parallel-failing", retries=1)
    async def failing(ctx: inngest.Context) -> object:
        async def bad() -> str:
            app.ran(ctx, "bad")
            raise ValueError("one of them broke")

        try:
            await ctx.group.parallel(
                (lambda: ctx.step.run("good", noted, ctx, "good"), lambda: ctx.step.run("bad", bad))
            )
        except inngest.StepError as error:
            return f"caught: {error.message}"
        return "unreachable"

    @app.function("parallel-branches")
    async def branches(ctx: inngest.Context) -> object:
        async def quick() -> str:
            first = await ctx.step.run("quick 1", noted, ctx, "quick 1")
            return first + await ctx.step.run("quick 2", noted, ctx, "quick 2")

        async def slow() -> str:
            await ctx.step.wait_for_event(
                "gate",
                event=app.on("gate").event,
                if_exp="async.data.key == event.data.key",
                timeout=timedelta(days=300),
            )
            return await ctx.step.run("slow", noted, ctx, "slow")

        return await ctx.group.parallel((quick, slow), parallel_mode=inngest.ParallelMode.RACE)
