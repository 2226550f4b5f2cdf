"""Answers that are streamed: whitespace while the step works, then what it came to. Flask's adapter does not stream."""

from __future__ import annotations

import inngest
import inngest.fast_api

from tests.sdk.python.app import Stories


def define(app: Stories) -> None:
    """Not in this adapter."""


def define_async(app: Stories) -> None:
    client = inngest.Inngest(app_id=f"{app.client.app_id}-streamed", logger=app.client.logger)

    async def work() -> str:
        return "worked"

    @app.function("streaming", client=client)
    async def streaming(ctx: inngest.Context) -> object:
        return [await ctx.step.run("one", work), await ctx.step.run("two", work)]

    @app.function("streaming-failing", client=client, retries=1)
    async def failing(ctx: inngest.Context) -> object:
        app.ran(ctx, ctx.attempt)
        raise ValueError("it broke in the stream")

    app.serve_also(
        "streamed",
        lambda web: inngest.fast_api.serve(
            web, client, [streaming, failing], serve_path="/streamed", streaming=inngest.Streaming.FORCE
        ),
    )
