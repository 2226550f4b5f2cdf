"""Functions that get several events, or the newest of them. Their events carry what to do: a batch of large ones is
fetched by the SDK itself."""

from __future__ import annotations

import inngest

from tests.sdk.python.app import Stories

BATCH = inngest.Batch(max_size=3, timeout=60_000, key="event.data.key")
DEBOUNCE = inngest.Debounce(period=3_000, key="event.data.key")


def define(app: Stories) -> None:
    @app.function("joining", batch_events=BATCH)
    def joining(ctx: inngest.ContextSync) -> object:
        return ctx.step.run("all", lambda: [event.data["n"] for event in ctx.events])

    @app.function("joining-newest", debounce=DEBOUNCE)
    def newest(ctx: inngest.ContextSync) -> object:
        return [event.data["n"] for event in ctx.events]


def define_async(app: Stories) -> None:
    @app.function("joining", batch_events=BATCH)
    async def joining(ctx: inngest.Context) -> object:
        async def numbers() -> list[object]:
            return [event.data["n"] for event in ctx.events]

        return await ctx.step.run("all", numbers)

    @app.function("joining-newest", debounce=DEBOUNCE)
    async def newest(ctx: inngest.Context) -> object:
        return [event.data["n"] for event in ctx.events]
