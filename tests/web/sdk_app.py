"""An app on the Python SDK, served on a port of its own on this machine."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from wsgiref.simple_server import WSGIRequestHandler, make_server

import flask
import inngest
import inngest.flask

from chalicelib.core import registrations
from chalicelib.core.apps import App
from chalicelib.core.urls import Reach
from chalicelib.engine import apps
from chalicelib.testing import Stepwell


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@dataclass(frozen=True)
class Served:
    """Where it is served."""

    url: str
    client: inngest.Inngest


@contextlib.contextmanager
def serve_app(
    define: Callable[[inngest.Inngest], Sequence[inngest.Function[Any]]],
    *,
    app_id: str = "shop",
    signing_key: str | None = None,
) -> Iterator[Served]:
    """With a signing key it is in production, and answers only what is signed."""
    client = inngest.Inngest(
        app_id=app_id,
        is_production=signing_key is not None,
        signing_key=signing_key,
        logger=logging.getLogger("sdk-app"),
    )
    app = flask.Flask("app")
    inngest.flask.serve(app, client, list(define(client)))
    server = make_server("127.0.0.1", 0, app, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Served(f"http://127.0.0.1:{server.server_port}/api/inngest", client)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def function(an_id: str, url: str, **fields: Any) -> dict[str, Any]:
    """As an SDK describes a function."""
    step = {"id": "step", "name": "step", "runtime": {"type": "http", "url": f"{url}?fnId={quote(an_id)}&stepId=step"}}
    return {"id": an_id, "name": an_id, "triggers": [{"event": "demo/a"}], "steps": {"step": step}, **fields}


def registration(url: str, *functions: dict[str, Any], app_id: str = "shop") -> dict[str, Any]:
    """As an SDK registers an app."""
    return {
        "appName": app_id,
        "url": url,
        "functions": list(functions),
        "sdk": "py:v0.5.19",
        "v": "0.1",
        "framework": "flask",
    }


def register(kit: Stepwell, body: dict[str, Any]) -> App:
    """What `POST /fn/register` does."""
    p = kit.platform
    return apps.register(p.services, p.room.apps, registrations.read(body, Reach(is_open=True))).app
