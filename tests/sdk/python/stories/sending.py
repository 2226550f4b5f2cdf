"""Events sent as a step, and by the client inside one."""

from __future__ import annotations

import inngest

from tests.sdk.python.app import Stories


def define(app: Stories) -> None:
    @app.function("sending")
    def sending(ctx: inngest.ContextSync) -> object:
        def event(n: int) -> inngest.Event:
            return inngest.Event(name=app.on("sending-received").event, data={"key": ctx.event.data["key"], "n": n})

        ids = ctx.step.send_event("tell", [event(1), event(2)])
        return ids + ctx.step.run("by the client", lambda: app.client.send_sync(event(3)))

    @app.function("sending-received")
    def received(ctx: inngest.ContextSync) -> object:
        app.ran(ctx, ctx.event.data["n"])
        return None


def define_async(app: Stories) -> None:
    @app.function("sending")
    async def sending(ctx: inngest.Context) -> object:
        def event(n: int) -> inngest.Event:
            return inngest.Event(name=app.on("sending-received").event, data={"key": ctx.event.data["key"], "n": n})

        async def by_client() -> list[str]:
            return await app.client.send(event(3))

        ids = await ctx.step.send_event("tell", [event(1), event(2)])
        return ids + await ctx.step.run("by the client", by_client)

    @app.function("sending-received")
    async def received(ctx: inngest.Context) -> object:
        app.ran(ctx, ctx.event.data["n"])
        return None
