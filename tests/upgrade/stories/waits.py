"""Runs that wait for something to come from outside."""

from __future__ import annotations

from typing import Any, ClassVar

from chalicelib.sdk import Cancel, Context, TriggerEvent, WaitFor, function
from chalicelib.testing import Stepwell
from tests.upgrade.story import DID, Story, did

GO = TriggerEvent(event="t/go")
SAME = "async.data.id == event.data.id"


@function(fn_id="waiter", trigger=GO, cancel=Cancel(event="t/stop", if_exp=SAME))
def waiter(ctx: Context) -> Any:
    ctx.step.run("ask", did, "asked")
    found = ctx.step.wait_for_event("answer", event="t/answer", if_exp=f"{SAME} && async.data.n > 1", timeout="2d")
    return None if found is None else ctx.step.run("note", did, found.data["n"])


class Wait(Story):
    """Runs wait for an event under a condition, and each meets its own."""

    functions = (waiter,)
    promised: ClassVar[Any] = ([20, 10], [20, 10])

    def begin(self, kit: Stepwell) -> None:
        for number in (2, 1):
            kit.send("t/go", {"id": number})

    def go_on(self, kit: Stepwell) -> Any:
        kit.send("t/answer", {"id": 2, "n": 1})
        for number in (2, 1):
            kit.send("t/answer", {"id": number, "n": 10 * number})
        return [run.output for run in kit.runs()], DID


@function(fn_id="above", trigger=GO)
def above(ctx: Context) -> Any:
    found = ctx.step.wait_for_event("enough", event="t/level", if_exp="async.data.n > 5", timeout="20d")
    return found and found.data["n"]


class WaitWithoutEquality(Story):
    """A run waits under a condition by which it cannot be looked up."""

    functions = (above,)
    promised: ClassVar[Any] = 7

    def begin(self, kit: Stepwell) -> None:
        kit.send("t/go")

    def go_on(self, kit: Stepwell) -> Any:
        kit.send("t/level", {"n": 3})
        kit.send("t/level", {"n": 7})
        return kit.only_run().output


class Timeout(Wait):
    """A wait's timeout is a timer: nothing comes, and the run goes on without."""

    promised: ClassVar[Any] = (["Completed"] * 2, [None, None], [])

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance("2d")
        runs = kit.runs()
        return [run.status.value for run in runs], [run.output for run in runs], DID


class Cancellation(Wait):
    """Runs that wait have an event that cancels them: it cancels the one that it is for."""

    promised: ClassVar[Any] = ("Running", "Cancelled")

    def go_on(self, kit: Stepwell) -> Any:
        kit.send("t/stop", {"id": 1})
        return [run.status.value for run in kit.runs()]


@function(fn_id="chooser", trigger=GO)
def chooser(ctx: Context) -> Any:
    found = ctx.step.wait_for_any("first", (WaitFor("t/paid", SAME), WaitFor("t/given-up", SAME)), timeout="20d")
    return found and [found.index, found.event.data["n"]]


class WaitForAny(Story):
    """A run waits for the first of several events."""

    functions = (chooser,)
    promised: ClassVar[Any] = (1, 5)

    def begin(self, kit: Stepwell) -> None:
        kit.send("t/go", {"id": "a"})

    def go_on(self, kit: Stepwell) -> Any:
        kit.send("t/given-up", {"id": "b", "n": 4})
        kit.send("t/given-up", {"id": "a", "n": 5})
        kit.send("t/paid", {"id": "a", "n": 6})
        return kit.only_run().output


@function(fn_id="late", trigger=GO)
def late(ctx: Context) -> Any:
    ctx.step.sleep("nap", "1h")
    found = ctx.step.wait_for_event("answer", event="t/answer", if_exp=SAME, timeout="2d", lookback="run")
    return found and found.data["n"]


class LookingBack(Story):
    """A run sleeps that will look back for an event which came meanwhile."""

    functions = (late,)
    promised: ClassVar[Any] = 3

    def begin(self, kit: Stepwell) -> None:
        kit.send("t/go", {"id": 1})
        kit.send("t/answer", {"id": 1, "n": 3})

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance("1h")
        return kit.only_run().output


@function(fn_id="asker", trigger=GO)
def asker(ctx: Context) -> Any:
    found = ctx.step.wait_for_signal("approval", signal="order-1", timeout="20d")
    return found and [found.signal, found.data]


class Signal(Story):
    """A run waits for a signal."""

    functions = (asker,)
    promised: ClassVar[Any] = (True, ["order-1", {"ok": True}])

    def begin(self, kit: Stepwell) -> None:
        kit.send("t/go")

    def go_on(self, kit: Stepwell) -> Any:
        run_id = kit.send_signal("order-1", {"ok": True})
        return run_id == kit.only_run().run_id, kit.only_run().output
