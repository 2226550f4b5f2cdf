"""Two steps; the second works with what the first returned."""

from __future__ import annotations

import inngest

from tests.sdk.python.app import Stories


def define(app: Stories) -> None:
    @app.function("steps")
    def steps(ctx: inngest.ContextSync) -> object:
        def one() -> dict[str, object]:
            app.ran(ctx, "one")
            return {"n": 1, "nested": {"list": [1, 2.5, None, True, "ü"]}}

        first = ctx.step.run("one", one)

        def two() -> int:
            app.ran(ctx, "two")
            return int(str(first["n"])) + 1

        second = ctx.step.run("two", two)
        nothing = ctx.step.run("nothing", lambda: None)
        return {"first": first, "second": second, "nothing": nothing}


def define_async(app: Stories) -> None:
    @app.function("steps")
    async def steps(ctx: inngest.Context) -> object:
        async def one() -> dict[str, object]:
            app.ran(ctx, "one")
            return {"n": 1, "nested": {"list": [1, 2.5, None, True, "ü"]}}

        first = await ctx.step.run("one", one)

        async def two() -> int:
            app.ran(ctx, "two")
            return int(str(first["n"])) + 1

        async def none() -> object:
            return None

        second = await ctx.step.run("two", two)
        nothing = await ctx.step.run("nothing", none)
        return {"first": first, "second": second, "nothing": nothing}
