"""The app that `make bench-sdk` measures: FastAPI and the Python SDK, with functions that tell when they ran."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import inngest

from tests.sdk.python import fastapi_app
from tests.sdk.python.app import Stories


async def now() -> int:
    """Nanoseconds since the epoch, of the machine."""
    return time.time_ns()


def define(app: Stories) -> None:
    @app.function("ten")
    async def ten(ctx: inngest.Context) -> object:
        return [await ctx.step.run(f"step {n}", now) for n in range(10)]

    @app.function("wait")
    async def wait(ctx: inngest.Context) -> object:
        await ctx.step.wait_for_event(
            "go", event=app.on("go").event, if_exp="async.data.key == event.data.key", timeout=timedelta(days=1)
        )
        return await ctx.step.run("resumed", now)


if __name__ == "__main__":
    stories = Stories(os.environ["APP_ID"])
    define(stories)
    fastapi_app.run(stories)
