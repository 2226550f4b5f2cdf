"""Runs in the middle of their steps."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from chalicelib.core.runs import Ending, RunStatus
from chalicelib.sdk import Context, TriggerCron, TriggerEvent, function
from chalicelib.testing import Stepwell
from tests.upgrade.story import DID, Story, did, die_at_call

GO = TriggerEvent(event="t/go")
LARGE = "ä" * 16_500


@function(fn_id="sleeper", trigger=GO)
def sleeper(ctx: Context) -> Any:
    first = ctx.step.run("first", did, "first")
    ctx.step.sleep("nap", ctx.event.data["for"])
    return [first, ctx.step.run("second", did, "second")]


class NearSleep(Story):
    """A run sleeps for minutes: a delayed message wakes it, and the step before is not executed again."""

    functions = (sleeper,)
    promised: ClassVar[Any] = (["first", "second"], ["second"])

    def begin(self, kit: Stepwell) -> None:
        kit.send("t/go", {"for": "10m"})

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance("10m")
        return kit.only_run().output, DID


class FarSleep(NearSleep):
    """A run sleeps for a month: a timer wakes it."""

    def begin(self, kit: Stepwell) -> None:
        kit.send("t/go", {"for": "30d"})

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance("30d")
        return kit.only_run().output, DID


@function(fn_id="flaky", trigger=GO, retries=2)
def flaky(ctx: Context) -> Any:
    def work() -> Any:
        raise ValueError(did("not yet"))

    return ctx.step.run("work", work)


class StepToBeTriedAgain(Story):
    """A step has failed once, and its next attempt is a delayed message: it counts as the second of three."""

    functions = (flaky,)
    promised: ClassVar[Any] = ("Failed", 3)

    def begin(self, kit: Stepwell) -> None:
        kit.send("t/go")

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance("5m")
        run = kit.only_run()
        return run.status.value, run.history.count("step.attempt_failed")


@function(fn_id="raises", trigger=GO, retries=1)
def raises(ctx: Context) -> Any:
    ctx.step.run("first", did, "first")
    if DID:
        raise ValueError("outside of a step")
    return "better"


class FunctionToBeTriedAgain(Story):
    """The function's own code has failed outside of its steps, and is to be entered again."""

    functions = (raises,)
    promised: ClassVar[Any] = ("better", [])

    def begin(self, kit: Stepwell) -> None:
        kit.send("t/go")

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance("5m")
        return kit.only_run().output, DID


@function(fn_id="wide", trigger=GO, retries=1)
def wide(ctx: Context) -> Any:
    def fragile() -> Any:
        if "quick" not in DID:
            return did("mended")
        raise ValueError("once")

    return ctx.group.parallel(
        (
            partial(ctx.step.run, "quick", did, "quick"),
            partial(ctx.step.sleep, "slow", "2h"),
            partial(ctx.step.run, "fragile", fragile),
        )
    )


class StepsSideBySide(Story):
    """Of three steps side by side one has ended, one sleeps, and one is to be tried again."""

    functions = (wide,)
    promised: ClassVar[Any] = (["quick", None, "mended"], ["mended"])

    def begin(self, kit: Stepwell) -> None:
        kit.send("t/go")

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance("2h")
        return kit.only_run().output, DID


class PlannedSteps(Story):
    """Steps side by side are planned, and their messages are in the queue."""

    functions = (wide,)
    promised: ClassVar[Any] = (["quick", None, "mended"], ["mended", "quick"])

    def begin(self, kit: Stepwell) -> None:
        kit.send_only("t/go")
        kit.pump.deliver_event()
        kit.pump.deliver_work()

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance("3h")
        return kit.only_run().output, sorted(DID)


@function(fn_id="child", trigger=TriggerEvent(event="never"))
def child(ctx: Context) -> Any:
    ctx.step.sleep("nap", "3h")
    return "from the child"


@function(fn_id="parent", trigger=GO)
def parent(ctx: Context) -> Any:
    return ctx.step.invoke("ask", function=child, data={"n": 1})


class Invocation(Story):
    """A run waits for the run that it invoked, which sleeps."""

    functions = (child, parent)
    promised: ClassVar[Any] = "from the child"

    def begin(self, kit: Stepwell) -> None:
        kit.send("t/go")

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance("3h")
        return kit.only_run(parent).output


@function(fn_id="steady", trigger=GO)
def steady(ctx: Context) -> Any:
    return [ctx.step.run("first", did, "first"), ctx.step.run("second", did, "second")]


class DeadProcess(Story):
    """The process died after a step was recorded: the run's lease is live, and its message comes back."""

    functions = (steady,)
    promised: ClassVar[Any] = (["first", "second"], ["second"])

    def begin(self, kit: Stepwell) -> None:
        kit.send_only("t/go")
        die_at_call(kit, 2)

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance_only("20m")
        kit.advance("1m")
        return kit.only_run().output, DID


class UnsettledEnd(Story):
    """A run's end is recorded, and nothing of what follows was done."""

    functions = (sleeper,)
    promised: ClassVar[Any] = ("Cancelled", 1)

    def begin(self, kit: Stepwell) -> None:
        kit.send("t/go", {"for": "30d"})
        now_ms = kit.platform.clock.now_ms()
        ending = Ending(status=RunStatus.CANCELLED, ended_at_ms=now_ms)
        kit.platform.services.runs.end(kit.only_run().run_id, ending, owner=None)

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance_only("10m")
        kit.collect()
        return kit.only_run().status.value, len(kit.events("inngest/function.cancelled"))


@function(fn_id="nightly", trigger=TriggerCron(cron="0 0 * * *"))
def nightly(ctx: Context) -> Any:
    return ctx.step.run("tidy", did, "tidied")


class Schedule(Story):
    """A schedule has started a run, and starts the next one at its time, once."""

    functions = (nightly,)
    promised: ClassVar[Any] = (["Completed"] * 2, ["tidied"])

    def begin(self, kit: Stepwell) -> None:
        kit.advance("20h")

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance("1d")
        return [run.status.value for run in kit.runs()], DID


@function(fn_id="weighty", trigger=GO)
def weighty(ctx: Context) -> Any:
    found = ctx.step.run("load", lambda: LARGE)
    ctx.step.sleep("nap", "1h")
    return [len(found), len(ctx.event.data["text"])]


class LargePayloads(Story):
    """A step's result and the run's event are so large that they lie in S3."""

    functions = (weighty,)
    promised: ClassVar[Any] = (len(LARGE), len(LARGE))

    def begin(self, kit: Stepwell) -> None:
        kit.send("t/go", {"text": LARGE})

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance("1h")
        return tuple(kit.only_run().output)


class SameEventId(Story):
    """An event's id has started a run within the last day: the same id starts none."""

    functions = (nightly, sleeper)
    promised: ClassVar[Any] = (1, [])

    def begin(self, kit: Stepwell) -> None:
        kit.send("t/go", {"for": "1h"}, id="order-1")

    def go_on(self, kit: Stepwell) -> Any:
        kit.send("t/go", {"for": "1h"}, id="order-1")
        return len(kit.runs("sleeper")), DID
