"""Waiting for an event that belongs to this run, for an hour or for months."""

from __future__ import annotations

from datetime import timedelta

import inngest

from tests.sdk.python.app import Stories

MATCHING = "async.data.key == event.data.key && async.data.amount > 10"


def define(app: Stories) -> None:
    @app.function("waiting")
    def wait(ctx: inngest.ContextSync) -> object:
        found = ctx.step.wait_for_event(
            "payment",
            event=app.on("paid").event,
            if_exp=MATCHING,
            timeout=timedelta(hours=int(str(ctx.event.data["hours"]))),
        )
        return None if found is None else {"name": found.name, "amount": found.data["amount"], "has_id": bool(found.id)}

    @app.function("waiting-wrongly", retries=4)
    def wrongly(ctx: inngest.ContextSync) -> object:
        app.ran(ctx, "entered")
        ctx.step.wait_for_event("payment", event=app.on("paid").event, if_exp="async.data.key ==", timeout=1000)
        return None


def define_async(app: Stories) -> None:
    @app.function("waiting")
    async def wait(ctx: inngest.Context) -> object:
        found = await ctx.step.wait_for_event(
            "payment",
            event=app.on("paid").event,
            if_exp=MATCHING,
            timeout=timedelta(hours=int(str(ctx.event.data["hours"]))),
        )
        return None if found is None else {"name": found.name, "amount": found.data["amount"], "has_id": bool(found.id)}

    @app.function("waiting-wrongly", retries=4)
    async def wrongly(ctx: inngest.Context) -> object:
        app.ran(ctx, "entered")
        await ctx.step.wait_for_event("payment", event=app.on("paid").event, if_exp="async.data.key ==", timeout=1000)
        return None
