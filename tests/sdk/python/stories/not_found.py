"""A function that was synced and is no longer in the code that answers."""

from __future__ import annotations

from typing import Any

import inngest
import inngest.fast_api
import inngest.flask

from tests.sdk.python.app import Stories


def _serve(app: Stories, handler: Any, serve: Any) -> None:
    """One path syncs two functions and names another path, which serves only one of them: the code of today."""
    ghost = inngest.Inngest(app_id=f"{app.client.app_id}-ghost", logger=app.client.logger)
    kept, gone = (
        app.function(f"not_found-{name}", client=ghost)(handler)  # Both are triggered by events of their own.
        for name in ("kept", "gone")
    )
    app.serve_also("synced", lambda web: serve(web, ghost, [kept, gone], serve_path="/ghost", public_path="/ghost/now"))
    app.serve_also("served", lambda web: serve(web, ghost, [kept], serve_path="/ghost/now"))


def define(app: Stories) -> None:
    def handler(ctx: inngest.ContextSync) -> object:
        app.ran(ctx, "ran")
        return "here"

    _serve(app, handler, inngest.flask.serve)


def define_async(app: Stories) -> None:
    async def handler(ctx: inngest.Context) -> object:
        app.ran(ctx, "ran")
        return "here"

    _serve(app, handler, inngest.fast_api.serve)
