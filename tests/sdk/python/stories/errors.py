"""Steps and functions that raise: tried again, caught, and in the end not."""

from __future__ import annotations

import inngest

from tests.sdk.python.app import Stories


class Broken(Exception):
    """An error of the user's own."""


def define(app: Stories) -> None:
    @app.function("errors-caught", retries=2)
    def caught(ctx: inngest.ContextSync) -> object:
        def charge() -> None:
            app.ran(ctx, f"charge {ctx.attempt}")
            raise Broken("card declined")

        try:
            ctx.step.run("charge", charge)
        except inngest.StepError as error:
            why = f"{error.name}: {error.message}"
            return ctx.step.run("instead", lambda: f"sent a bill, since {why}")
        return "unreachable"

    @app.function("errors-uncaught", retries=1)
    def uncaught(ctx: inngest.ContextSync) -> object:
        def charge() -> None:
            app.ran(ctx, "charge")
            raise Broken("card declined")

        ctx.step.run("charge", charge)
        app.ran(ctx, "unreachable")
        return None

    @app.function("errors-recovers", retries=2)
    def recovers(ctx: inngest.ContextSync) -> object:
        def flaky() -> int:
            app.ran(ctx, f"flaky {ctx.attempt}")
            if ctx.attempt < 2:
                raise Broken("not yet")
            return ctx.attempt

        return ctx.step.run("flaky", flaky)

    @app.function("errors-in-function", retries=1)
    def in_function(ctx: inngest.ContextSync) -> object:
        ctx.step.run("first", lambda: app.ran(ctx, "first"))
        app.ran(ctx, f"body {ctx.attempt}")
        raise Broken("after the step")


def define_async(app: Stories) -> None:
    @app.function("errors-caught", retries=2)
    async def caught(ctx: inngest.Context) -> object:
        async def charge() -> None:
            app.ran(ctx, f"charge {ctx.attempt}")
            raise Broken("card declined")

        try:
            await ctx.step.run("charge", charge)
        except inngest.StepError as error:
            why = f"{error.name}: {error.message}"

            async def bill() -> str:
                return f"sent a bill, since {why}"

            return await ctx.step.run("instead", bill)
        return "unreachable"

    @app.function("errors-uncaught", retries=1)
    async def uncaught(ctx: inngest.Context) -> object:
        async def charge() -> None:
            app.ran(ctx, "charge")
            raise Broken("card declined")

        await ctx.step.run("charge", charge)
        app.ran(ctx, "unreachable")
        return None

    @app.function("errors-recovers", retries=2)
    async def recovers(ctx: inngest.Context) -> object:
        async def flaky() -> int:
            app.ran(ctx, f"flaky {ctx.attempt}")
            if ctx.attempt < 2:
                raise Broken("not yet")
            return ctx.attempt

        return await ctx.step.run("flaky", flaky)

    @app.function("errors-in-function", retries=1)
    async def in_function(ctx: inngest.Context) -> object:
        async def first() -> None:
            app.ran(ctx, "first")

        await ctx.step.run("first", first)
        app.ran(ctx, f"body {ctx.attempt}")
        raise Broken("after the step")
