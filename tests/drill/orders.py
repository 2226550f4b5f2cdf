"""The drill's function, the events that drive it, and the marks that its steps leave outside of the platform."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any

from chalicelib.sdk import Cancel, Context, TriggerEvent, function
from tests.drill.waits import EVENT as PAID

FN_ID, PLACED, CANCELLED = "drill-order", "drill/order.placed", "drill/order.cancelled"
GOOD = "async.data.order == event.data.order"
# What users write by mistake, and what somebody might write on purpose.
BROKEN = {
    "cut short": "async.data.order == ",
    "a name that does not exist": "asnyc.data.order == event.data.order",
    "a function that does not exist": "async.data.order.isTheSameAs(event.data.order)",
    "a text without quotes": "async.data.order == order-17",
    "= for ==": "async.data.order = event.data.order",
    "a quote inside of quotes": "async.data.note == 'it's paid'",
    "backslashes, never closed": "async.data.order == '" + "\\" * 42,
    "5,000 characters": "async.data.order == '" + "x" * 5_000 + "'",
    "300 brackets": "(" * 300 + "true" + ")" * 300,
    "a pattern that does not end": "async.data.order.matches('(a+)+$(')",
}
_KINDS = list(BROKEN)
# Every tenth order has a broken condition, every twentieth is cancelled while it waits.
_BROKEN_EVERY, _CANCELLED_EVERY = 10, 20


def kind_of(order: str) -> str | None:
    """How the order's condition is broken; None if it is not."""
    prefix, _, number = order.rpartition("-")
    if prefix != "order" or int(number) % _BROKEN_EVERY:
        return None
    return _KINDS[int(number) // _BROKEN_EVERY % len(_KINDS)]


def is_cancelled(order: str) -> bool:
    """Whether an event cancels the order instead of paying it."""
    prefix, _, number = order.rpartition("-")
    return prefix == "order" and int(number) % _CANCELLED_EVERY == 1


def names(count: int) -> list[str]:
    """The orders of a drill of so many runs."""
    return [f"order-{number}" for number in range(count)]


def placed(order: str) -> dict[str, Any]:
    """The event that starts the order's run."""
    kind = kind_of(order)
    return {"name": PLACED, "data": {"order": order, "condition": GOOD if kind is None else BROKEN[kind]}}


def what_follows(order: str) -> dict[str, Any]:
    """The event that resumes the order's run, or cancels it."""
    if is_cancelled(order):
        return {"name": CANCELLED, "data": {"order": order}}
    return {"name": PAID, "data": {"order": order, "customer": f"buyer of {order}", "amount": 120, "currency": "EUR"}}


class Ledger:
    """What really happened, kept outside of the platform: each execution of a step's body leaves a mark."""

    def __init__(self, step_s: float = 0.0) -> None:
        self._step_s = step_s
        self._changed = threading.Condition()
        self.executions: Counter[tuple[str, str]] = Counter()
        self.order_of: dict[str, str] = {}
        self.first_at: dict[tuple[str, str], float] = {}

    def carry_out(self, run_id: str, order: str, step: str) -> str:
        """The body of a step, such as a call that moves money. It takes `step_s` seconds."""
        with self._changed:
            self.executions[order, step] += 1
            self.order_of[run_id] = order
            self.first_at.setdefault((order, step), time.monotonic())
            self._changed.notify_all()
        time.sleep(self._step_s)
        return f"{step} {order}"

    def executed_twice(self) -> int:
        """Executions beyond the first of each step."""
        with self._changed:
            return sum(count - 1 for count in self.executions.values())

    def total(self) -> int:
        """All executions."""
        with self._changed:
            return sum(self.executions.values())

    def wait_for(self, order: str, step: str, within_s: float) -> float | None:
        """When the step was executed first, by the monotonic clock; None if it was not in time."""
        with self._changed:
            self._changed.wait_for(lambda: (order, step) in self.first_at, within_s)
            return self.first_at.get((order, step))


def order_function(ledger: Ledger) -> Any:
    """Charge, wait until the order is paid, ship."""

    @function(
        fn_id=FN_ID,
        trigger=TriggerEvent(event=PLACED),
        cancel=Cancel(event=CANCELLED, if_exp="async.data.order == event.data.order"),
    )
    def drill_order(ctx: Context) -> str:
        data = ctx.event.data
        ctx.step.run("charge", ledger.carry_out, ctx.run_id, data["order"], "charge")
        paid = ctx.step.wait_for_event("paid", event=PAID, if_exp=data["condition"], timeout="1h")
        if paid is None:
            return "never paid"
        ctx.step.run("ship", ledger.carry_out, ctx.run_id, data["order"], "ship")
        return "shipped"

    return drill_order
