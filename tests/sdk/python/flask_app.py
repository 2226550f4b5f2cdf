"""The stories in `def` functions, served by Flask."""

from __future__ import annotations

import os

import flask
import inngest.flask
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.sdk.python.app import Stories, load


class _Handler(WSGIRequestHandler):
    # Connections are kept, as behind a server for production.
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: object) -> None:
        """Quiet."""


def make(loaded: Stories) -> flask.Flask:
    """The web app."""
    app = flask.Flask("stories")
    inngest.flask.serve(app, loaded.client, loaded.functions)

    @app.get("/record/<key>")
    def record(key: str) -> flask.Response:
        return flask.jsonify(loaded.record.of(key))

    for name, serve in loaded.extra.items():
        part = flask.Blueprint(name, name)
        serve(part)
        app.register_blueprint(part)
    return app


if __name__ == "__main__":
    web = make(load(os.environ["APP_ID"], "define"))
    make_server("127.0.0.1", int(os.environ["PORT"]), web, threaded=True, request_handler=_Handler).serve_forever()
