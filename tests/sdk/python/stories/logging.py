"""A line that a function logs between its steps is logged once, however often the function is entered."""

from __future__ import annotations

import logging

import inngest

from tests.sdk.python.app import Stories


class _ToRecord(logging.Handler):
    """Lines of the shape "<key> <text>" go to the record."""

    def __init__(self, app: Stories) -> None:
        super().__init__(logging.INFO)
        self._app = app

    def emit(self, record: logging.LogRecord) -> None:
        key, _, text = record.getMessage().partition(" logged: ")
        if text:
            self._app.record.add(key, text)


def _install(app: Stories) -> None:
    logger = logging.getLogger("app")
    logger.setLevel(logging.INFO)
    logger.addHandler(_ToRecord(app))


def define(app: Stories) -> None:
    _install(app)

    @app.function("logging")
    def logs(ctx: inngest.ContextSync) -> object:
        key = ctx.event.data["key"]
        ctx.logger.info("%s logged: first", key)
        ctx.step.run("one", lambda: 1)
        ctx.logger.info("%s logged: second", key)
        ctx.step.run("two", lambda: 2)
        ctx.logger.info("%s logged: third", key)
        return None


def define_async(app: Stories) -> None:
    _install(app)

    @app.function("logging")
    async def logs(ctx: inngest.Context) -> object:
        key = ctx.event.data["key"]

        async def work() -> int:
            return 1

        ctx.logger.info("%s logged: first", key)
        await ctx.step.run("one", work)
        ctx.logger.info("%s logged: second", key)
        await ctx.step.run("two", work)
        ctx.logger.info("%s logged: third", key)
        return None
