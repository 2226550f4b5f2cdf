"""Functions that call functions: the object, its id, one that fails, one that takes too long, one that is not there."""

from __future__ import annotations

from datetime import timedelta

import inngest

from tests.sdk.python.app import Stories


def define(app: Stories) -> None:
    @app.function("invoking-double")
    def double(ctx: inngest.ContextSync) -> int:
        def work() -> int:
            app.ran(ctx, f"child of {ctx.event.name}")
            return 2 * int(str(ctx.event.data["n"]))

        return ctx.step.run("double", work)

    @app.function("invoking-fail", retries=1)
    def fail(ctx: inngest.ContextSync) -> object:
        app.ran(ctx, "child")
        raise inngest.NonRetriableError("the child broke")

    @app.function("invoking-forever")
    def forever(ctx: inngest.ContextSync) -> object:
        ctx.step.wait_for_event("never", event=app.on("never").event, timeout=timedelta(days=300))
        return None

    @app.function("invoking")
    def by_object(ctx: inngest.ContextSync) -> object:
        return ctx.step.invoke("call", function=double, data={"n": 21, "key": ctx.event.data["key"]})

    @app.function("invoking-by-id")
    def by_id(ctx: inngest.ContextSync) -> object:
        return ctx.step.invoke_by_id("call", function_id="invoking-double", data={"n": 4, "key": ctx.event.data["key"]})

    @app.function("invoking-failing")
    def failing(ctx: inngest.ContextSync) -> object:
        try:
            ctx.step.invoke("call", function=fail, data={"key": ctx.event.data["key"]})
        except inngest.StepError as error:
            return f"caught: {error.message}"
        return "unreachable"

    @app.function("invoking-too-long")
    def too_long(ctx: inngest.ContextSync) -> object:
        try:
            ctx.step.invoke("call", function=forever, timeout=timedelta(hours=1))
        except inngest.StepError as error:
            return f"caught: {error.message}"
        return "unreachable"

    @app.function("invoking-nobody")
    def nobody(ctx: inngest.ContextSync) -> object:
        return ctx.step.invoke_by_id("call", function_id="is-not-there")


def define_async(app: Stories) -> None:
    @app.function("invoking-double")
    async def double(ctx: inngest.Context) -> int:
        async def work() -> int:
            app.ran(ctx, f"child of {ctx.event.name}")
            return 2 * int(str(ctx.event.data["n"]))

        return await ctx.step.run("double", work)

    @app.function("invoking-fail", retries=1)
    async def fail(ctx: inngest.Context) -> object:
        app.ran(ctx, "child")
        raise inngest.NonRetriableError("the child broke")

    @app.function("invoking-forever")
    async def forever(ctx: inngest.Context) -> object:
        await ctx.step.wait_for_event("never", event=app.on("never").event, timeout=timedelta(days=300))
        return None

    @app.function("invoking")
    async def by_object(ctx: inngest.Context) -> object:
        return await ctx.step.invoke("call", function=double, data={"n": 21, "key": ctx.event.data["key"]})

    @app.function("invoking-by-id")
    async def by_id(ctx: inngest.Context) -> object:
        return await ctx.step.invoke_by_id(
            "call", function_id="invoking-double", data={"n": 4, "key": ctx.event.data["key"]}
        )

    @app.function("invoking-failing")
    async def failing(ctx: inngest.Context) -> object:
        try:
            await ctx.step.invoke("call", function=fail, data={"key": ctx.event.data["key"]})
        except inngest.StepError as error:
            return f"caught: {error.message}"
        return "unreachable"

    @app.function("invoking-too-long")
    async def too_long(ctx: inngest.Context) -> object:
        try:
            await ctx.step.invoke("call", function=forever, timeout=timedelta(hours=1))
        except inngest.StepError as error:
            return f"caught: {error.message}"
        return "unreachable"

    @app.function("invoking-nobody")
    async def nobody(ctx: inngest.Context) -> object:
        return await ctx.step.invoke_by_id("call", function_id="is-not-there")
