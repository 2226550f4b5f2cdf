"""Step ids that come again, and ids of any characters."""

from __future__ import annotations

import inngest

from tests.sdk.python.app import Stories


def define(app: Stories) -> None:
    @app.function("ids-duplicate")
    def duplicate(ctx: inngest.ContextSync) -> object:
        return [ctx.step.run("same", str, n) for n in range(3)]

    @app.function("ids-odd")
    def odd(ctx: inngest.ContextSync) -> object:
        ids = ctx.event.data["ids"]
        assert isinstance(ids, list)
        return [ctx.step.run(str(each), str, each) for each in ids]


def define_async(app: Stories) -> None:
    async def same(value: object) -> object:
        return value

    @app.function("ids-duplicate")
    async def duplicate(ctx: inngest.Context) -> object:
        return [await ctx.step.run("same", same, f"{n}") for n in range(3)]

    @app.function("ids-odd")
    async def odd(ctx: inngest.Context) -> object:
        ids = ctx.event.data["ids"]
        assert isinstance(ids, list)
        return [await ctx.step.run(str(each), same, each) for each in ids]
