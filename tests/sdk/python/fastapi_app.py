"""The stories in `async def` functions, served by FastAPI."""

from __future__ import annotations

import os
from typing import Any

import fastapi
import inngest.fast_api
import uvicorn

from tests.sdk.python.app import Stories, load


def make(loaded: Stories) -> fastapi.FastAPI:
    """The web app."""
    app = fastapi.FastAPI()
    inngest.fast_api.serve(app, loaded.client, loaded.functions)

    @app.get("/record/{key}")
    async def record(key: str) -> list[Any]:
        return loaded.record.of(key)

    for serve in loaded.extra.values():
        serve(app)
    return app


def run(loaded: Stories) -> None:
    """Serve until stopped."""
    uvicorn.run(make(loaded), host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", access_log=False)


if __name__ == "__main__":
    run(load(os.environ["APP_ID"], "define_async"))
