"""Functions that are paused, and runs that are replayed."""

from __future__ import annotations

from typing import Any, ClassVar

from chalicelib.core.runs import RunStatus
from chalicelib.engine import collect, pausing, replays, replays_of_many
from chalicelib.sdk import Context, NonRetriableError, TriggerEvent, function
from chalicelib.testing import Stepwell
from tests.upgrade.story import DID, Story, did

GO = TriggerEvent(event="t/go")
UP: list[bool] = []


@function(fn_id="job", trigger=GO)
def job(ctx: Context) -> Any:
    first = ctx.step.run("first", did, "first")
    ctx.step.sleep("nap", "2m")
    if not ctx.event.data.get("up") and not UP:
        raise NonRetriableError("the partner is down")
    return [first, ctx.step.run("second", did, "second")]


def pause(kit: Stepwell, mode: Any) -> None:
    pausing.pause(kit.platform.services, kit.platform.room.apps, "job", mode)


def resume(kit: Stepwell) -> None:
    pausing.resume(kit.platform.services, kit.platform.room.apps, "job")


class PausedFunction(Story):
    """A function is paused: a run that had begun and one that had not wait for its being resumed."""

    functions = (job,)
    promised: ClassVar[Any] = (["Running", "Queued"], ["Completed"] * 2)

    def begin(self, kit: Stepwell) -> None:
        kit.send("t/go", {"up": True})
        pause(kit, "queue")
        kit.send("t/go", {"up": True})
        kit.advance("3m")

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance("3m")
        before = [run.status.value for run in kit.runs()]
        resume(kit)
        kit.advance("5m")
        return before, [run.status.value for run in kit.runs()]


class PausedFunctionThatSkips(Story):
    """A function is paused so that its events start nothing."""

    functions = (job,)
    promised: ClassVar[Any] = ("Completed",)

    def begin(self, kit: Stepwell) -> None:
        pause(kit, "skip")

    def go_on(self, kit: Stepwell) -> Any:
        kit.send("t/go", {"up": True})
        resume(kit)
        kit.send("t/go", {"up": True})
        kit.advance("1h")
        return [run.status.value for run in kit.runs()]


class ResumeUnderWay(Story):
    """A function is resumed: the message that wakes its runs is in the queue."""

    functions = (job,)
    promised: ClassVar[Any] = ["Completed"] * 3

    def begin(self, kit: Stepwell) -> None:
        pause(kit, "queue")
        kit.send([{"name": "t/go", "data": {"up": True}}] * 3)
        resume(kit)

    def go_on(self, kit: Stepwell) -> Any:
        kit.drain()
        kit.advance("5m")
        return [run.status.value for run in kit.runs()]


def fail_three(kit: Stepwell) -> None:
    kit.send([{"name": "t/go"}] * 3)
    kit.advance("5m")


class ReplayOfMany(Story):
    """A replay of all that failed was ordered: it is a message, and a row that tells how far it came."""

    functions = (job,)
    promised: ClassVar[Any] = (["Failed"] * 3 + ["Completed"] * 3, ["first"] * 3 + ["second"] * 3)

    def begin(self, kit: Stepwell) -> None:
        UP.clear()
        fail_three(kit)
        replays_of_many.create(kit.platform.services, "job", status=RunStatus.FAILED, after_ms=None, before_ms=None)

    def go_on(self, kit: Stepwell) -> Any:
        UP.append(True)
        kit.drain()
        kit.advance("5m")
        UP.clear()
        return [run.status.value for run in kit.runs()], DID


class ReplayFromAStep(Story):
    """A run is replayed from a step, with the results before it copied; its message is in the queue."""

    functions = (job,)
    promised: ClassVar[Any] = (["Failed", "Completed"], ["second"])

    def begin(self, kit: Stepwell) -> None:
        UP.clear()
        kit.send("t/go")
        kit.advance("5m")
        replays.replay(kit.platform.services, kit.only_run().run_id, "nap")

    def go_on(self, kit: Stepwell) -> Any:
        UP.append(True)
        kit.drain()
        kit.advance("5m")
        UP.clear()
        return [run.status.value for run in kit.runs()], DID


class ForgottenReplay(Story):
    """A replay's first message was lost, and what looks for the forgotten has sent another."""

    functions = (job,)
    promised: ClassVar[Any] = (["Failed", "Completed"], ["second"])

    def begin(self, kit: Stepwell) -> None:
        UP.clear()
        kit.send("t/go")
        kit.advance("5m")
        replays.replay(kit.platform.services, kit.only_run().run_id, "nap")
        kit.pump.lose("work", kit.pump.hold("work"))
        kit.advance_only("20m")
        collect.collect(kit.platform.services, kit.platform.clock.now_ms() + 60_000)

    def go_on(self, kit: Stepwell) -> Any:
        UP.append(True)
        kit.drain()
        kit.advance("5m")
        UP.clear()
        return [run.status.value for run in kit.runs()], DID
