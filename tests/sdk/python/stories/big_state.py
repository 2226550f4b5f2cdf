"""State of several megabytes: too much for the call, so the SDK fetches it."""

from __future__ import annotations

import hashlib

import inngest

from tests.sdk.python.app import Stories


def _block(n: int, size: int) -> str:
    seed = hashlib.sha256(str(n).encode()).hexdigest()
    return (seed * (size // len(seed) + 1))[:size]


def _sum(blocks: list[str]) -> str:
    return hashlib.sha256("".join(blocks).encode()).hexdigest()


def define(app: Stories) -> None:
    @app.function("big_state")
    def big(ctx: inngest.ContextSync) -> object:
        size = int(str(ctx.event.data["size"]))
        blocks = [ctx.step.run(f"block {n}", _block, n, size) for n in range(4)]
        return ctx.step.run("sum", lambda: _sum(blocks))


def define_async(app: Stories) -> None:
    @app.function("big_state")
    async def big(ctx: inngest.Context) -> object:
        size = int(str(ctx.event.data["size"]))

        async def block(n: int) -> str:
            return _block(n, size)

        blocks = [await ctx.step.run(f"block {n}", block, n) for n in range(4)]

        async def total() -> str:
            return _sum(blocks)

        return await ctx.step.run("sum", total)
