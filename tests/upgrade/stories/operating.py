"""What an operator has set going."""

from __future__ import annotations

from typing import Any, ClassVar

from chalicelib.engine import cancellations
from chalicelib.sdk import Context, TriggerEvent, function
from chalicelib.testing import Stepwell
from tests.upgrade.story import Story, did


@function(fn_id="remind", trigger=TriggerEvent(event="cart.left"))
def remind(ctx: Context) -> Any:
    ctx.step.sleep("a-day", "1d")
    return ctx.step.run("remind", did, ctx.event.data["n"])


class BulkCancellation(Story):
    """A cancellation of many runs was ordered: it is a message, and a row that tells how far it came."""

    functions = (remind,)
    promised: ClassVar[Any] = ("Running", "Cancelled", "Running", "Cancelled", "Running")

    def begin(self, kit: Stepwell) -> None:
        kit.send([{"name": "cart.left", "data": {"n": n}} for n in range(5)])
        kit.advance("1h")
        cancellations.create(
            kit.platform.services,
            app_id="",
            function_id="remind",
            started_after_ms=None,
            started_before_ms=kit.platform.clock.now_ms(),
            if_exp="event.data.n == 1 || event.data.n == 3",
        )

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance("1m")
        return [run.status.value for run in kit.runs()]
