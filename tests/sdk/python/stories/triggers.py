"""Several triggers, one with a condition; and a schedule."""

from __future__ import annotations

import inngest

from tests.sdk.python.app import Stories

SCHEDULE = "7 * * * *"


def _triggers(app: Stories) -> list[object]:
    return [app.on("triggers"), app.on("triggers-other", "event.data.n > 1"), inngest.TriggerCron(cron=SCHEDULE)]


def define(app: Stories) -> None:
    @app.function("triggers", trigger=_triggers(app))
    def triggers(ctx: inngest.ContextSync) -> object:
        key = str(ctx.event.data.get("key", f"{app.client.app_id}-cron"))
        app.record.add(key, ctx.event.name)
        return ctx.event.data.get("cron")


def define_async(app: Stories) -> None:
    @app.function("triggers", trigger=_triggers(app))
    async def triggers(ctx: inngest.Context) -> object:
        key = str(ctx.event.data.get("key", f"{app.client.app_id}-cron"))
        app.record.add(key, ctx.event.name)
        return ctx.event.data.get("cron")
