"""Step data, output and a part of the event are encrypted before they leave the app."""

from __future__ import annotations

import inngest
from inngest_encryption import EncryptionMiddleware

from tests.sdk.python.app import Stories

SECRET = "a secret of the story"


def define(app: Stories) -> None:
    @app.function("encryption", middleware=[EncryptionMiddleware.factory(SECRET)])
    def encryption(ctx: inngest.ContextSync) -> object:
        found = ctx.step.run("read", lambda: {"card": "plain card"})
        ctx.step.sleep("pause", 1)
        app.ran(ctx, found)
        return {"sum": found["card"]}


def define_async(app: Stories) -> None:
    @app.function("encryption", middleware=[EncryptionMiddleware.factory(SECRET)])
    async def encryption(ctx: inngest.Context) -> object:
        async def read() -> dict[str, str]:
            return {"card": "plain card"}

        found = await ctx.step.run("read", read)
        await ctx.step.sleep("pause", 1)
        app.ran(ctx, found)
        return {"sum": found["card"]}
