"""The server calls a language model for the run."""

from __future__ import annotations

import inngest
from inngest.experimental.ai.openai import Adapter

from tests.sdk.python.app import Stories


def _adapter(app: Stories, key: object) -> Adapter:
    return Adapter(auth_key=str(key), base_url=f"{app.provider}/v1", model="small")


BODY = {"messages": [{"role": "user", "content": "say it louder"}]}


def _text(answer: dict[str, object]) -> object:
    choices = answer["choices"]
    assert isinstance(choices, list)
    return choices[0]["message"]["content"]


def define(app: Stories) -> None:
    @app.function("inference", retries=1)
    def infer(ctx: inngest.ContextSync) -> object:
        return _text(ctx.step.ai.infer("ask", adapter=_adapter(app, ctx.event.data["secret"]), body=dict(BODY)))


def define_async(app: Stories) -> None:
    @app.function("inference", retries=1)
    async def infer(ctx: inngest.Context) -> object:
        return _text(await ctx.step.ai.infer("ask", adapter=_adapter(app, ctx.event.data["secret"]), body=dict(BODY)))
